import type { Explanation, Hit, SearchQuery } from '../../contract/search.js'
import { UnsupportedError } from '../../errors.js'
import type { MemoryEntry, SearchKind } from '../../model/records.js'
import { compareText, isAlive, matches } from '../../repository/matches.js'
import { type CheckedQuery, checkQuery } from '../../repository/search-query.js'
import { factorsOf } from '../../search/factors.js'
import { rerank } from '../../search/rerank.js'
import { similarity } from '../../search/similarity.js'
import { conditionsOf } from './conditions.js'
import type { VectorContext } from './context.js'
import { embedQuestion } from './embedding.js'
import { toRecord } from './point.js'
import type { NearestQuery, NearPoint } from './store.js'

/** Hits that a reranker sees. */
const RERANKED = 50
const WEIGHTS = { text: 0, vector: 1 }
/** Points that are looked at where those that are left out were many. */
const MOST = 100_000

type Accept<R> = (near: NearPoint) => R | null

/** The nearest points that are wanted; where the store answered others, it is asked for more. */
async function nearest<R>(
  { points }: VectorContext,
  query: Omit<NearestQuery, 'limit'>,
  limit: number,
  accept: Accept<R>,
): Promise<R[]> {
  for (let asked = limit; ; asked *= 4) {
    const near = await points.nearest({ ...query, limit: asked })
    const found: R[] = []
    for (const point of near) {
      const record = accept(point)
      if (record !== null && found.push(record) === limit) break
    }
    if (found.length === limit || near.length < asked || asked >= MOST) return found
  }
}

function explanation(similar: number, rank: number, factors: Explanation['factors']): Explanation {
  return {
    terms: [],
    bm25: 0,
    vector: { score: similar, similarity: similar, rank },
    ...(factors && { factors }),
  }
}

/** A question in the words of the store. */
interface Asked {
  readonly vector: Float32Array
  readonly now: number
  /** Of each kind. */
  readonly limit: number
}

async function hitsOf(context: VectorContext, kind: SearchKind, query: CheckedQuery, asked: Asked): Promise<Hit[]> {
  const { tenantId, space } = context
  const { vector, now, limit } = asked
  const { filter, exact } = query
  const includeExpired = filter.includeExpired === true
  const where = [
    ...conditionsOf(kind, filter),
    ...(includeExpired || kind === 'message' ? [] : [{ alive: now }]),
    { embedded: true } as const,
  ]
  const found = await nearest(context, { kind, where, vector, exact }, limit, ({ point, distance }) => {
    if (point.hash === null) return null
    const record = toRecord(kind, point, tenantId)
    const holder = { userId: point.fields.user ?? '' }
    if (!matches(filter, record, kind === 'message' ? holder : undefined)) return null
    if ('expiresAt' in record && !isAlive(record, now, includeExpired)) return null
    return { record, similar: similarity(space.metric, distance) }
  })
  return found.map(({ record, similar }, i): Hit => {
    const factors =
      query.factors && kind === 'memory' ? factorsOf(query.factors, record as MemoryEntry, now) : undefined
    const score = similar * (factors ? factors.recency * factors.importance : 1)
    const shown = query.explain ? { explain: explanation(similar, i + 1, factors) } : {}
    return { kind, record, score, ...shown } as Hit
  })
}

/** Everything that a checked query finds by meaning, best first, not reranked. */
export async function find(context: VectorContext, query: CheckedQuery, wanted: number): Promise<Hit[]> {
  const vector = await embedQuestion(context, query.text, query.vector)
  // Factors change the order: more than the wanted must be looked at.
  const limit = query.factors ? Math.max(wanted, query.candidates) : wanted
  const asked = { vector, now: context.clock(), limit }
  const found = await Promise.all(query.kinds.map((kind) => hitsOf(context, kind, query, asked)))
  const hits = found.flat().filter((hit) => hit.score >= query.minScore)
  // Equals in an order that is the same in every tenant: that of the engine depends on keys.
  return hits.sort((a, b) => b.score - a.score || compareText(a.record.id, b.record.id)).slice(0, wanted)
}

export function checkVectorQuery(input: SearchQuery): CheckedQuery {
  const query = checkQuery(input, WEIGHTS, 'vector')
  if (query.mode !== 'vector')
    throw new UnsupportedError(
      'textSearch',
      `this memory finds by meaning alone (mode: 'vector'): add SQLite or PostgreSQL as the primary`,
    )
  return query
}

/** Best first. A blank question without a vector finds nothing. */
export function vectorSearch(context: VectorContext): (query: SearchQuery) => Promise<Hit[]> {
  const { reranker } = context
  return async (input) => {
    const query = checkVectorQuery(input)
    const blank = query.text.trim() === ''
    if (query.vector === null && blank) return []
    if (!query.rerank || reranker === null || blank) return find(context, query, query.limit)
    const hits = await find(context, { ...query, minScore: 0 }, Math.max(query.limit, RERANKED))
    const better = await rerank(reranker, query.text, hits, query.explain)
    return better.filter((hit) => hit.score >= query.minScore).slice(0, query.limit)
  }
}
