import { randomInt } from 'node:crypto'
import type { Embedder, EmbeddingSpace } from '../../contract/embedder.js'
import type { Reranker } from '../../contract/search.js'
import type { Checks } from '../../model/check.js'
import type { VectorScope } from './store.js'

/** What the repositories of one store share. */
export interface VectorContext {
  readonly tenantId: string
  readonly points: VectorScope
  readonly checks: Checks
  readonly clock: () => number
  readonly newId: () => string
  /** Makes the position of a message, behind the given one. */
  readonly position: ((last: number) => number) & { readonly drawn: () => number }
  readonly space: EmbeddingSpace
  readonly embedder: Embedder | null
  readonly reranker: Reranker | null
}

export const nowOf = (context: Pick<VectorContext, 'clock'>): Date => new Date(context.clock())

/** What a write is known by: two that meet would be taken for one another, at 1 in 2^47. */
export const newRevision = (): number => randomInt(1, 2 ** 47)

/** Positions of one millisecond; a burst runs ahead of the clock. Positions are safe integers until the year 2248. */
const PER_MILLISECOND = 1024

/** Draws positions from a clock: each is larger than all that this store has drawn, and than the given one. */
export function positionsOf(clock: () => number): VectorContext['position'] {
  let drawn = 0
  const draw = (last: number): number => {
    drawn = Math.max(clock() * PER_MILLISECOND, drawn + 1, last + 1)
    return drawn
  }
  return Object.assign(draw, { drawn: () => drawn })
}
