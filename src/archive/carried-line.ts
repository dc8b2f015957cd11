import type { EmbeddingSpace } from '../contract/embedder.js'
import type { Carried } from '../contract/transfer.js'
import { ConfigurationError } from '../errors.js'
import { faultOf } from './fault.js'
import { MAX_LINE_BYTES } from './format.js'
import { encodeEntry } from './record.js'
import { digestsOf, type EntryDigests } from './summary.js'

/** A record as it stands in an archive. */
export interface CarriedLine {
  /** With its line feed. */
  readonly line: Buffer
  readonly digests: EntryDigests
}

/** The line of a record, or why it has none. */
export function lineOf(carried: Carried, space: EmbeddingSpace | null): CarriedLine | string {
  const fault = carried.fault ?? faultOf(carried) ?? vectorFault(carried, space)
  if (fault) return fault
  const line = Buffer.from(`${encodeEntry(carried)}\n`)
  // Readers refuse longer lines: better no line than one that cannot be read back.
  if (line.length > MAX_LINE_BYTES) return `record: must be at most ${MAX_LINE_BYTES} bytes as a line of an archive`
  return { line, digests: digestsOf(carried) }
}

function vectorFault({ vector }: Carried, space: EmbeddingSpace | null): string | null {
  if (!vector) return null
  if (!space)
    throw new ConfigurationError('vectors come without the embedding space that they are of: an archive has to name it')
  return vector.vector.length === space.dimensions ? null : `vector: must have ${space.dimensions} numbers`
}
