import type { Command } from 'commander'
import { number } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { findStore, upkeepOf, urlOption } from './open.js'
import { Progress } from './progress.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('reindex')
    .summary('analyse every text again')
    .description(
      'Makes the full-text index anew: for another language, after an upgrade of the stemmer, or where `doctor` found it\n' +
        'wrong. Stop every other process that has the memory open. Ended half-way, it has to be run again.',
    )
  urlOption(command)
    .option('--language <name>', 'the language to index for, or none (default: the one it was indexed for)')
    .option('--json', 'print one JSON document')
    .action((options: Options) => reindex(options, io))
}

async function reindex(options: Options, io: CliIo): Promise<void> {
  const store = findStore(options, io)
  const upkeep = await upkeepOf(store, 'reindex')
  const progress = new Progress(io, 'records', options.json === true)
  try {
    const report = await upkeep.reindex({
      language: options.language === 'none' ? null : options.language,
      clock: Date.now,
      onProgress: ({ done, total }) => progress.update(done, total, 'texts'),
    })
    progress.stop()
    if (options.json) printJson(io, { memory: store.name, ...report })
    else line(io.stdout, `${number(report.rows)} texts indexed, language ${report.language}`)
    io.setExitCode(0)
  } finally {
    progress.stop()
  }
}
