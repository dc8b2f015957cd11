import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { v7 } from 'uuid'
import { createEmbedder } from '../embeddings/embedder.js'
import { ConfigurationError, ConnectionError, UnsupportedError } from '../errors.js'
import { number } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { embeddingsOf, embeddingsOption, findStore } from './open.js'
import { Progress } from './progress.js'

interface Options {
  readonly url?: string
  readonly embeddings?: string
  readonly dropOld?: true
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('reembed')
    .summary('make every vector anew')
    .description(
      'Makes the vectors of all messages, memories and documents with another model, or for the first time. Stop every\n' +
        'other process that has the memory open. Ended half-way, it goes on where it was.',
    )
    .option(
      '--url <url>',
      'the memory: sqlite:./memory.db or a path (default: BRUNO_MEMORY_URL, DATABASE_URL, ./memory.db)',
    )
  embeddingsOption(command)
    .option('--drop-old', 'delete the vectors of other models in the end')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  bruno-memory reembed --embeddings offline')
    .action((options: Options) => reembed(options, io))
}

async function reembed(options: Options, io: CliIo): Promise<void> {
  const { path } = findStore(options, io)
  if (path === null) throw new UnsupportedError('reembed', 'only an SQLite memory can be embedded again by now')
  if (!existsSync(path)) throw new ConnectionError(`there is no memory at ${path}: check --url`)
  const embeddingFunction = embeddingsOf(options, io)
  if (!embeddingFunction) throw new ConfigurationError('name the model with --embeddings, such as --embeddings offline')
  const embedder = createEmbedder({ embeddingFunction })
  const { reembedSqlite } = await import('../backends/sqlite/reembed.js')
  const progress = new Progress(io, 'records', options.json === true)
  try {
    const report = await reembedSqlite({
      databasePath: path,
      vectors: { embedder, metric: 'cosine', dimensions: null, model: 'records' },
      dropOld: options.dropOld,
      clock: Date.now,
      newId: v7,
      onProgress: ({ done, total }) => progress.update(done, total, 'records'),
    })
    progress.stop()
    const { provider, model, dimensions } = report.space
    if (options.json) printJson(io, { memory: path, ...report })
    else {
      line(io.stdout, `${number(report.vectors)} vectors of ${provider} ${model}, ${dimensions} dimensions`)
      if (report.parked > 0) line(io.stdout, `${number(report.parked)} records that the model refused have none`)
      if (report.kept > 0)
        line(io.stdout, `${number(report.kept)} vectors of other models are kept (--drop-old deletes them)`)
    }
    io.setExitCode(report.parked > 0 ? 1 : 0)
  } finally {
    progress.stop()
  }
}
