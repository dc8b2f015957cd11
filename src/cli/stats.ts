import { statSync } from 'node:fs'
import type { Command } from 'commander'
import { checkId } from '../model/parse.js'
import { bytes, number, table } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { embeddingsOf, embeddingsOption, findStore, storeOptions, withMemory } from './open.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly tenant: string
  readonly user?: string
  readonly embeddings?: string
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('stats')
    .summary('count what a memory holds')
    .description('Counts exactly what a tenant, or one of its users, has in the memory; expired records are left out.')
  embeddingsOption(storeOptions(command))
    .option('--tenant <id>', 'the tenant', 'default')
    .option('--user <id>', 'only this user')
    .option('--json', 'print one JSON document')
    .action((options: Options) => stats(options, io))
}

const sizeOf = (path: string | null): number | null => {
  if (path === null) return null
  const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0
  return size(path) + size(`${path}-wal`)
}

async function stats(options: Options, io: CliIo): Promise<void> {
  checkId(options.tenant, '--tenant')
  if (options.user !== undefined) checkId(options.user, '--user')
  const store = findStore(options, io)
  // An SQL store counts without a model, which it would otherwise begin to follow.
  const { embeddings: _, ...others } = options
  const embeddings = store.upkeep === null ? embeddingsOf(options, io) : undefined
  const statistics = await withMemory(store, { ...others, ...(embeddings && { embeddings }) }, (memory) =>
    memory.forTenant(options.tenant).statistics(options.user === undefined ? {} : { userId: options.user }),
  )
  const fileBytes = sizeOf(store.path)
  const { tenant, user = null } = options
  if (options.json) printJson(io, { memory: store.name, fileBytes, tenant, user, ...statistics })
  else {
    const { memoriesByType, ...counts } = statistics
    const rows = Object.entries(counts).flatMap(([name, n]) => (n === null ? [] : [[words(name), number(n)]]))
    const types = Object.entries(memoriesByType).map(([type, n]) => [`  ${words(type)}`, number(n ?? 0)])
    const at = rows.findIndex(([name]) => name === 'memories') + 1
    line(
      io.stdout,
      `${store.name}${fileBytes === null ? '' : ` (${bytes(fileBytes)})`}, tenant ${tenant}${user === null ? '' : `, user ${user}`}`,
    )
    line(io.stdout, table([...rows.slice(0, at), ...types, ...rows.slice(at)]))
  }
  io.setExitCode(0)
}

const words = (name: string): string =>
  name
    .replace(/([A-Z])/g, ' $1')
    .replaceAll('_', ' ')
    .toLowerCase()
