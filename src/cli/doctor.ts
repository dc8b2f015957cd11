import type { Command } from 'commander'
import { brokenSearchIndexes, examine } from '../backends/sqlite/doctor.js'
import { openMigrationTarget } from '../backends/sqlite/migration.js'
import { createMigrator } from '../migrate/migrator.js'
import {
  type Check,
  checkClient,
  checkContent,
  checkFile,
  checkFolder,
  checkLog,
  checkNode,
  checkRest,
  checkSchema,
  checkSearch,
  probe,
} from './doctor-checks.js'
import { type CliIo, line, printJson } from './io.js'
import { findStore, type Store, type StoreOptions, storeOptions, withMemory } from './open.js'

interface Options extends StoreOptions {
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('doctor')
    .summary('check a set-up end to end')
    .description(
      'Checks the program, the file, its schema, content, index and locks, and says how to mend what is not well.',
    )
  storeOptions(command)
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExit code 1 where a check failed; warnings are no failures. Nothing is changed.')
    .action((options: Options) => doctor(options, io))
}

async function doctor(options: Options, io: CliIo): Promise<void> {
  const store = findStore(options, io)
  const checks: Check[] = []
  // What a check throws is its finding: the others are made all the same where they can be.
  for await (const check of examination(store, options)) {
    checks.push(check)
    if (!options.json) print(io, check)
  }
  const failed = checks.filter((check) => check.status === 'failure').length
  if (options.json) printJson(io, { memory: store.name, ok: failed === 0, checks })
  else line(io.stdout, failed === 0 ? 'all is well' : `${failed} to mend`)
  io.setExitCode(failed === 0 ? 0 : 1)
}

function print(io: CliIo, { name, status, found, mend }: Check): void {
  const mark = { ok: 'ok     ', warning: 'warning', failure: 'FAILED ' }[status]
  line(io.stdout, `${mark}  ${name.padEnd(12)}  ${found}`)
  if (mend) line(io.stdout, `${' '.repeat(23)}→ ${mend}`)
}

async function guarded(name: string, mend: string, work: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await work()
  } catch (error) {
    return [{ name, status: 'failure', found: error instanceof Error ? error.message : String(error), mend }]
  }
}

async function* examination(store: Store, options: Options): AsyncGenerator<Check> {
  yield checkNode(process.versions.node)
  const client = await checkClient()
  yield client
  const { path } = store
  if (path === null)
    return yield {
      name: 'file',
      status: 'warning',
      found: `${store.name}: only SQLite files are examined`,
      mend: 'use the tools of that engine',
    }
  const file = checkFile(path)
  yield checkFolder(path)
  yield file
  // Without a client or a readable file there is nothing further to look at.
  if (client.status === 'failure' || (file.status === 'failure' && !file.found.endsWith('is read-only'))) return
  yield* await guarded('schema', 'see `bruno-memory migrate status`', async () => [await schema(path)])
  yield* await guarded('content', 'restore a backup', () => content(path))
  if (file.status === 'failure') return
  const busy = 'stop what holds the file, and try again'
  yield* await guarded('search index', busy, async () => [checkSearch(await brokenSearchIndexes(path))])
  yield* await guarded('probe', busy, async () => [await withMemory(store, options, probe)])
}

async function schema(path: string): Promise<Check> {
  const { target, close } = await openMigrationTarget(path, { write: false })
  try {
    const bundle = await import('../migrate/bundled/sqlite.js')
    return checkSchema(await createMigrator({ target, bundle }).status())
  } finally {
    await close()
  }
}

async function content(path: string): Promise<Check[]> {
  const found = await examine(path, Date.now())
  return [...checkContent(found), checkLog(path, found), ...checkRest(found)]
}
