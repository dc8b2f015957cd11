import type { Command } from 'commander'
import type { DifferingRecord, VerifyProgress, VerifyReport } from '../contract/upkeep.js'
import { ConfigurationError } from '../errors.js'
import { checkId } from '../model/parse.js'
import { number, printable } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import {
  embeddingsOf,
  embeddingsOption,
  findStore,
  followersOf,
  followersOptions,
  type StoreOptions,
  storeOptions,
  withMemory,
} from './open.js'
import { Progress } from './progress.js'
import { rebuildSemantic } from './rebuild.js'

interface Options extends StoreOptions {
  readonly tenant?: string
  readonly repair?: true
  readonly json?: true
}

interface RepairOptions extends Options {
  readonly rebuild?: true
  readonly dropOld?: true
}

/** Differing records that are listed for people. */
const LISTED = 20

export function register(program: Command, io: CliIo): void {
  const verifying = program
    .command('verify')
    .summary('compare the semantic store and the cache with the memory they follow')
    .description(
      'Compares every record that has a vector with what the semantic store has of it, while both are in use, and names\n' +
        'what is missing, what should not be there, and what is not as it is in the memory. Of a cache (--cache) every end of a\n' +
        'conversation is compared that it has.',
    )
  common(verifying).option('--repair', 'tell the semantic store of what differs')
  verifying.action((options: Options) => verify(options, io))
  const repairing = program
    .command('repair')
    .summary('verify, and tell the semantic store of what differs')
    .description('The same as `verify --repair`: only what differs is written, and what was written is verified again.')
  common(repairing)
    .option('--rebuild', 'build the semantic store anew beside the one in use, from the vectors that the memory has')
    .option('--drop-old', 'with --rebuild: delete the old collections in the end')
    .action((options: RepairOptions) =>
      options.rebuild ? rebuild(options, io) : verify({ ...options, repair: true }, io),
    )
}

const common = (command: Command): Command =>
  embeddingsOption(followersOptions(storeOptions(command)))
    .option('--tenant <id>', 'only the records of this tenant')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExit code 0: nothing differs, or nothing does any more; 1: something differs.')

async function rebuild({ dropOld, json, ...options }: RepairOptions, io: CliIo): Promise<void> {
  const { semantic } = followersOf(options, io)
  if (!semantic) throw new ConfigurationError('name the semantic store with --semantic')
  await rebuildSemantic(findStore(options, io), { semantic, ...(dropOld && { dropOld }), ...(json && { json }) }, io)
}

async function verify(options: Options, io: CliIo): Promise<void> {
  const { tenant, repair } = options
  if (tenant !== undefined) checkId(tenant, '--tenant')
  const named = followersOf(options, io)
  if (!named.semantic && !named.cache)
    throw new ConfigurationError('name the semantic store with --semantic, or the cache with --cache')
  const embeddings = embeddingsOf(options, io)
  const store = findStore(options, io)
  const progress = new Progress(io, 'records', options.json === true)
  const together = { ...named, settle: repair ? 'background' : 'off' } as const
  const reports = await withMemory(
    store,
    { ...options, ...(embeddings && { embeddings }), together },
    async (memory) => {
      const onProgress = ({ read, total }: VerifyProgress) => progress.update(read, total, 'records')
      const wanted = { ...(tenant !== undefined && { tenantId: tenant }), onProgress }
      const first = await memory.verify({ ...wanted, ...(repair && { repair }) })
      if (first.repaired === 0) return [first]
      await memory.settle({ deadline: 2 ** 31 - 1 })
      return [first, await memory.verify(wanted)]
    },
  ).finally(() => progress.stop())
  const [first] = reports as [VerifyReport]
  const last = reports.at(-1) as VerifyReport
  const outdated = repair ? 0 : (last.cache?.stale ?? 0)
  const left = last.missing + last.orphan + last.stale + outdated
  if (options.json) printJson(io, { memory: store.name, ...first, left })
  else print(io, first, left)
  io.setExitCode(left === 0 ? 0 : 1)
}

function print(io: CliIo, report: VerifyReport, left: number): void {
  const { expected, found, missing, orphan, stale, repaired, waiting, parked, keys, cache, follower } = report
  if (cache)
    line(
      io.stdout,
      `${number(cache.found)} conversations are in the cache, ${number(cache.stale)} not as in the memory`,
    )
  if (follower === '') return
  line(io.stdout, `${number(expected)} records have a vector, ${number(found)} are in the semantic store`)
  if (missing + orphan + stale === 0) line(io.stdout, 'nothing differs')
  for (const [what, n, list] of [
    ['missing', missing, keys.missing],
    ['should not be there', orphan, keys.orphan],
    ['not as in the memory', stale, keys.stale],
  ] as const)
    if (n > 0) line(io.stdout, `${number(n)} ${what}:\n${listed(list, n)}`)
  if (repaired > 0)
    line(
      io.stdout,
      left === 0 ? `${number(repaired)} repaired, nothing differs any more` : `${number(left)} differ still`,
    )
  if (waiting > 0) line(io.stdout, `${number(waiting)} records are still to be told (bruno-memory settle)`)
  if (parked > 0) line(io.stdout, `${number(parked)} records were tried in vain (bruno-memory settle --requeue)`)
}

function listed(records: readonly DifferingRecord[], n: number): string {
  const lines = records
    .slice(0, LISTED)
    .map(({ tenantId, kind, scope, id }) =>
      printable(`  ${kind} ${JSON.stringify([tenantId, ...(scope ? [scope] : []), id])}`),
    )
  return [...lines, ...(n > lines.length ? [`  and ${number(n - lines.length)} more (--json)`] : [])].join('\n')
}
