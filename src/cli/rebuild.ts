import type { MemberEntry } from '../contract/composition.js'
import type { EmbeddingOptions } from '../contract/options.js'
import type { RebuildReport } from '../contract/upkeep.js'
import { number } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { type Store, withMemory } from './open.js'
import { Progress } from './progress.js'

interface Rebuilding {
  readonly semantic: MemberEntry
  /** Default: the vectors stay. */
  readonly embedding?: EmbeddingOptions
  readonly dropOld?: true
  readonly dryRun?: true
  readonly json?: true
}

/** Builds the semantic store of a memory anew, beside the one in use. */
export async function rebuildSemantic(store: Store, options: Rebuilding, io: CliIo): Promise<void> {
  const { semantic, embedding, dropOld, dryRun, json } = options
  const progress = new Progress(io, 'records', json === true)
  try {
    const report = await withMemory(store, { together: { semantic, settle: 'off' } }, (memory) =>
      memory.rebuild({
        ...(embedding && { embedding }),
        ...(dropOld && { dropOld }),
        ...(dryRun && { dryRun }),
        onProgress: ({ done, total }) => progress.update(done, total, 'records'),
      }),
    )
    progress.stop()
    if (json) printJson(io, { memory: store.name, ...report })
    else print(io, report, dryRun === true)
    io.setExitCode(report.parked > 0 ? 1 : 0)
  } finally {
    progress.stop()
  }
}

function print(io: CliIo, report: RebuildReport, dryRun: boolean): void {
  const { records, toEmbed, tokens, vectors, parked, dropped } = report
  if (toEmbed > 0 || dryRun)
    line(io.stdout, `${number(toEmbed)} of ${number(records)} records to embed, about ${number(tokens)} tokens`)
  if (dryRun) return
  line(io.stdout, `${number(vectors)} vectors in the new collections, which are in use now`)
  if (parked > 0) line(io.stdout, `${number(parked)} records that the model refused have none`)
  line(
    io.stdout,
    dropped ? 'the old collections are deleted' : 'the old collections are kept (--drop-old deletes them)',
  )
}
