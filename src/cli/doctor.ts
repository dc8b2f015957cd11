import type { Command } from 'commander'
import { type Check, checkNode, warning } from './doctor-checks.js'
import { type CliIo, line, printJson } from './io.js'
import { findStore, isPostgresUrl, type Store, type StoreOptions, storeOptions } from './open.js'

interface Options extends StoreOptions {
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('doctor')
    .summary('check a set-up end to end')
    .description(
      'Checks the program, the file or the PostgreSQL server, its schema, content, index and locks, and says how to mend\n' +
        'what is not well.',
    )
  storeOptions(command)
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExit code 1 where a check failed; warnings are no failures. Nothing is changed.')
    .action((options: Options) => doctor(options, io))
}

async function doctor(options: Options, io: CliIo): Promise<void> {
  const store = findStore(options, io)
  const checks: Check[] = []
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

/** By the engine of the URL. */
async function* examination(store: Store, options: Options): AsyncGenerator<Check> {
  yield checkNode(process.versions.node)
  if (store.path !== null) return yield* (await import('./doctor-sqlite.js')).examineFile(store.path, store, options)
  if (isPostgresUrl(store.url)) return yield* (await import('./doctor-postgresql.js')).examineDatabase(store, options)
  yield warning('memory', `${store.name}: only SQLite files and PostgreSQL databases are examined`, 'check --url')
}
