import { createHash } from 'node:crypto'
import type { Carried } from '../contract/transfer.js'
import { unitVector } from '../embeddings/unit.js'
import { encodeVector } from '../embeddings/vector.js'
import { recordDigest } from '../model/digest.js'
import { keyOf, keyText } from './keys.js'

/** What of a vector counts: nothing, its bits, or its direction where one side keeps only that. */
export type VectorRule = 'none' | 'exact' | 'unit'

/** The digest of a record with its vector. */
export function carriedDigest({ kind, record, vector }: Carried, rule: VectorRule): Buffer {
  const digest = recordDigest(kind as 'user', record as never)
  if (rule === 'none' || !vector) return digest
  const kept = rule === 'unit' ? unitVector(vector.vector) : vector.vector
  return createHash('sha256').update(digest).update(encodeVector(kept)).digest()
}

export const BUCKETS = 4096

/** Which bucket a record is counted in: by its key alone, so that both sides agree. */
export function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1)
}

export const keyOfCarried = (carried: Carried): string => keyText(keyOf(carried))
