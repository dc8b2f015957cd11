import { type Command, Option } from 'commander'
import { v7 } from 'uuid'
import type { ReembedReport } from '../backends/sql/reembed.js'
import type { DistanceMetric, Embedder } from '../contract/embedder.js'
import { createEmbedder } from '../embeddings/embedder.js'
import { MAX_DIMENSIONS } from '../embeddings/vector.js'
import { ConfigurationError } from '../errors.js'
import { number } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import {
  embeddingsOf,
  embeddingsOption,
  findStore,
  followersOf,
  followersOptions,
  type StoreOptions,
  upkeepOf,
  urlOption,
  wholeNumber,
} from './open.js'
import { Progress } from './progress.js'
import { rebuildSemantic } from './rebuild.js'

interface Options extends StoreOptions {
  readonly metric: DistanceMetric
  readonly dimensions?: string
  readonly dropOld?: true
  readonly dryRun?: true
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('reembed')
    .summary('make every vector anew')
    .description(
      'Makes the vectors of all messages, memories and documents for the first time, or with another model, metric or\n' +
        'dimension. The programs that open the memory must name the same ones from then on. Ended half-way, it goes on where\n' +
        'it was. Of a memory with a semantic store (--semantic) they are made beside those in use, while it is in use, and\n' +
        'put to use at once when they are verified; of any other, stop every other process that has it open.',
    )
  embeddingsOption(followersOptions(urlOption(command)))
    .addOption(
      new Option('--metric <metric>', 'how vectors are compared, as the option distanceMetric')
        .choices(['cosine', 'dot', 'euclidean'])
        .default('cosine'),
    )
    .option(
      '--dimensions <n>',
      "how many numbers a vector has, as the option embeddingDimensions (default: the model's)",
    )
    .option('--drop-old', 'delete the older vectors in the end')
    .option('--dry-run', 'with --semantic: only say how many records and about how many tokens there are to embed')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  bruno-memory reembed --embeddings offline\n  bruno-memory reembed --embeddings text-embedding-3-small --dimensions 512',
    )
    .action((options: Options) => reembed(options, io))
}

function embedderOf(embeddingFunction: string, embeddingDimensions: number | undefined): Embedder {
  // A name that is not known is told as such, whatever the dimensions.
  const plain = createEmbedder({ embeddingFunction })
  if (embeddingDimensions === undefined) return plain
  try {
    return createEmbedder({ embeddingFunction, embeddingDimensions })
  } catch (error) {
    throw new ConfigurationError(
      `--dimensions ${embeddingDimensions}: ${embeddingFunction} makes no vectors of this length, but of ${plain.dimensions}`,
      { cause: error },
    )
  }
}

async function reembed(options: Options, io: CliIo): Promise<void> {
  const { metric } = options
  const dimensions =
    options.dimensions === undefined ? undefined : wholeNumber(options.dimensions, '--dimensions', 1, MAX_DIMENSIONS)
  const store = findStore(options, io)
  const upkeep = await upkeepOf(store, 'reembed')
  const embeddingFunction = embeddingsOf(options, io)
  if (!embeddingFunction) throw new ConfigurationError('name the model with --embeddings, such as --embeddings offline')
  const embedder = embedderOf(embeddingFunction, dimensions)
  const { semantic } = followersOf(options, io)
  if (semantic) {
    await embedder.close()
    const embedding = {
      embeddingFunction,
      distanceMetric: metric,
      ...(dimensions && { embeddingDimensions: dimensions }),
    }
    return rebuildSemantic(store, { ...options, semantic, embedding }, io)
  }
  if (options.dryRun) throw new ConfigurationError('--dry-run is of a memory with --semantic')
  const progress = new Progress(io, 'records', options.json === true)
  try {
    const report = await upkeep.reembed({
      vectors: { embedder, metric, dimensions: dimensions ?? null, model: 'records' },
      dropOld: options.dropOld,
      clock: Date.now,
      newId: v7,
      onProgress: ({ done, total }) => progress.update(done, total, 'records'),
    })
    progress.stop()
    if (options.json) printJson(io, { memory: store.name, ...report })
    else print(io, report)
    io.setExitCode(report.parked > 0 ? 1 : 0)
  } finally {
    progress.stop()
  }
}

function print(io: CliIo, { space, vectors, parked, kept, dropped }: ReembedReport): void {
  const { provider, model, dimensions, metric } = space
  line(io.stdout, `${number(vectors)} vectors of ${provider} ${model}, ${dimensions} dimensions, ${metric}`)
  if (parked > 0) line(io.stdout, `${number(parked)} records that the model refused have none`)
  if (kept > 0) line(io.stdout, `${number(kept)} older vectors are kept (--drop-old deletes them)`)
  if (dropped > 0) line(io.stdout, `${number(dropped)} older vectors are deleted`)
}
