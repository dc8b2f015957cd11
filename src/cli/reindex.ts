import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { ConnectionError, UnsupportedError } from '../errors.js'
import { number } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { findStore } from './open.js'
import { Progress } from './progress.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  program
    .command('reindex')
    .summary('analyse every text again')
    .description(
      'Makes the full-text index anew: for another language, after an upgrade of the stemmer, or where `doctor` found it\n' +
        'wrong. Stop every other process that has the memory open. Ended half-way, it has to be run again.',
    )
    .option(
      '--url <url>',
      'the memory: sqlite:./memory.db or a path (default: BRUNO_MEMORY_URL, DATABASE_URL, ./memory.db)',
    )
    .option('--language <name>', 'the language to index for, or none (default: the one it was indexed for)')
    .option('--json', 'print one JSON document')
    .action((options: Options) => reindex(options, io))
}

async function reindex(options: Options, io: CliIo): Promise<void> {
  const { path } = findStore(options, io)
  if (path === null) throw new UnsupportedError('reindex', 'only an SQLite memory can be indexed again by now')
  if (!existsSync(path)) throw new ConnectionError(`there is no memory at ${path}: check --url`)
  const { reindexSqlite } = await import('../backends/sqlite/reindex.js')
  const progress = new Progress(io, 'records', options.json === true)
  try {
    const report = await reindexSqlite({
      databasePath: path,
      language: options.language === 'none' ? null : options.language,
      clock: Date.now,
      onProgress: ({ done, total }) => progress.update(done, total, 'texts'),
    })
    progress.stop()
    if (options.json) printJson(io, { memory: path, ...report })
    else line(io.stdout, `${number(report.rows)} texts indexed, language ${report.language}`)
    io.setExitCode(0)
  } finally {
    progress.stop()
  }
}
