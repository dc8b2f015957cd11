import { createHash } from 'node:crypto'
import type { EmbeddingFunction } from '../../../src/contract/embedder.js'

export const DIMENSIONS = 8

/** A vector that belongs to one text alone: which text it was made of can be told from it. */
export function vectorOf(text: string): Float32Array {
  const hash = createHash('sha256').update(text).digest()
  return Float32Array.from({ length: DIMENSIONS }, (_, i) => hash.readInt32LE(i * 4) / 2 ** 31)
}

/** Makes the same vectors as the records bring. */
export const hashModel = (): EmbeddingFunction & { readonly model: string; readonly dimensions: number } => ({
  model: 'hashes',
  dimensions: DIMENSIONS,
  embedDocuments: async (texts) => texts.map(vectorOf),
  embedQuery: async (text) => vectorOf(text),
})
