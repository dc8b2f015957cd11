import type { NearVector } from '../../contract/follow.js'
import { UnsupportedError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import type { CheckedQuery } from '../../repository/search-query.js'
import { similarity } from '../../search/similarity.js'
import type { SqlContext } from './context.js'
import type { VectorScore } from './vector-search.js'

/** What a semantic store found, by kind, best first. */
export interface NearHits {
  readonly asked: number
  readonly byKind: ReadonlyMap<SearchKind, readonly NearVector[]>
}

interface Scored {
  readonly kind: SearchKind
  readonly vector: readonly VectorScore[]
}

/** Records that may be gone since the semantic store was told of them. */
const SLACK = 5

/** How many of each kind are asked for: of those that are fused with what a text finds, more. */
export const askedAtFirst = (query: CheckedQuery, wanted: number): number =>
  query.mode === 'hybrid' || query.factors ? query.candidates : wanted + SLACK

/**
 * The nearest records by the semantic store, of every kind at once.
 *
 * @throws UnsupportedError inside a unit, which holds the primary: no other store is waited for there.
 */
export async function nearestElsewhere(
  context: SqlContext,
  query: CheckedQuery,
  vector: Float32Array,
  { limit, inUnit }: { readonly limit: number; readonly inUnit: boolean },
): Promise<NearHits> {
  const { semantic, tenantId } = context
  if (!semantic) return { asked: limit, byKind: new Map() }
  if (inUnit)
    throw new UnsupportedError(
      'vectorSearch',
      'a semantic store is not waited for inside a unit, which holds the primary: search before the unit, or by text',
    )
  const question = { filter: query.filter, vector, limit, exact: query.exact, now: context.clock() }
  const found = await Promise.all(
    query.kinds.map(async (kind) => [kind, await semantic.nearest(tenantId, kind, question)] as const),
  )
  return { asked: limit, byKind: new Map(found) }
}

/** Whether the store may have more than it was asked for, of what is like enough. */
export const mayHaveMore = ({ asked, byKind }: NearHits, ranks: readonly Scored[], minScore: number): boolean =>
  ranks.some(({ kind, vector }) => (byKind.get(kind)?.length ?? 0) >= asked && (vector.at(-1)?.score ?? 0) >= minScore)

export function scoresOf(context: SqlContext, near: NearHits, kind: SearchKind): VectorScore[] {
  const { space } = context.vectors
  if (!space) return []
  return (near.byKind.get(kind) ?? []).map(({ seq, distance, id, scope }) => {
    const score = similarity(space.metric, distance)
    return { seq, score, similarity: score, place: { id, scope } }
  })
}

/** Whether a record is the one that the semantic store meant: rows get other numbers when a store is moved. */
export function isMeant({ place }: VectorScore, record: { readonly id: string }): boolean {
  if (!place) return true
  const { conversationId, namespace, position } = record as {
    conversationId?: string
    namespace?: string
    position?: number
  }
  const scope = position === undefined ? (namespace ?? '') : conversationId
  return record.id === place.id && scope === place.scope
}
