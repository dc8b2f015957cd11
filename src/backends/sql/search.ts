import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Filter } from '../../contract/filter.js'
import type { Explanation, Hit, SearchQuery } from '../../contract/search.js'
import { ConnectionError, OverloadedError, TimeoutError, UnsupportedError } from '../../errors.js'
import type { MemoryEntry, SearchKind } from '../../model/records.js'
import { markDegraded } from '../../repository/degraded.js'
import { type CheckedQuery, checkQuery } from '../../repository/search-query.js'
import type { QueryTerm } from '../../search/analyzer.js'
import { factorsOf } from '../../search/factors.js'
import { fuse } from '../../search/fusion.js'
import { rerank } from '../../search/rerank.js'
import { queryTerms } from './analyzer.js'
import { RECORD_COLUMNS } from './columns.js'
import { now, type SqlContext } from './context.js'
import { type SqlEngine, type SqlSession, TABLE_OF } from './engine.js'
import { type FilterSql, filterSql } from './filters.js'
import { askedAtFirst, isMeant, mayHaveMore, type NearHits, nearestElsewhere, scoresOf } from './semantic-search.js'
import { list, type Selection, type Statement } from './statement.js'
import { conversationOf, rankByText, shaped, type TextRanks, whereOf } from './text-search.js'
import { rankByVector, type VectorScore } from './vector-search.js'

/** Hits that a reranker sees. */
const RERANKED = 50
/** Records of each kind that a semantic store is asked for at most. */
const MOST_NEAR = 10_000

/** A hit before its record was read. */
interface Found {
  readonly kind: SearchKind
  readonly seq: number
  readonly score: number
  readonly parts?: { readonly text: number; readonly vector: number }
}

/** What each part of a search found in one kind. */
interface Ranks {
  readonly kind: SearchKind
  readonly text: TextRanks | null
  readonly vector: readonly VectorScore[]
}

type Stored = Hit['record'] & { readonly seq: number }

function recordStatement(engine: SqlEngine, kind: SearchKind, filter: FilterSql): Statement<Stored> {
  const table = engine.tables[TABLE_OF[kind]]
  const selection: Selection = { seq: table.seq, ...RECORD_COLUMNS[kind](engine.tables) }
  const conversation = conversationOf(engine, kind)
  const join: SQL = conversation ? sql`${engine.join} ${conversation.table} on ${conversation.on}` : sql``
  return shaped(
    engine,
    'records',
    filter,
    selection,
    () => sql`select ${list(selection)} from ${engine.conditions.rows('seqs', { seq: 'integer' })} as s
      ${engine.join} ${table} on ${table.seq} = s.seq ${join} where ${whereOf(engine, kind, filter)}`,
  )
}

interface Reading {
  readonly context: SqlContext
  readonly session: SqlSession
  readonly filter: Filter
  readonly values: Record<string, unknown>
}

/** The records of some hits, by kind and row, the filter met once more. */
async function records(reading: Reading, found: readonly Found[]): Promise<Map<string, Stored>> {
  const { context, session, values } = reading
  const { engine } = context
  const stored = new Map<string, Stored>()
  for (const kind of new Set(found.map((hit) => hit.kind))) {
    const filter = filterSql(engine, kind, reading.filter)
    const seqs = engine.conditions.encodeRows(found.filter((hit) => hit.kind === kind).map((hit) => [hit.seq]))
    const rows = await session.all(recordStatement(engine, kind, filter), { ...filter.values, ...values, seqs })
    for (const row of rows) stored.set(keyOf(kind, row.seq), row)
  }
  return stored
}

const keyOf = (kind: SearchKind, seq: number): string => `${kind} ${seq}`

function fused(query: CheckedQuery, ranks: readonly Ranks[]): Found[] {
  const text = ranks.flatMap(({ kind, text }) => (text?.scores ?? []).map(({ seq, score }) => ({ kind, seq, score })))
  const vector = ranks.flatMap(({ kind, vector }) => vector.map(({ seq, score }) => ({ kind, seq, score })))
  if (query.mode === 'text') return text.sort((a, b) => b.score - a.score)
  if (query.mode === 'vector') return vector.sort((a, b) => b.score - a.score)
  const known = new Map([...text, ...vector].map((hit) => [keyOf(hit.kind, hit.seq), hit]))
  const keyed = (hits: readonly Found[]) => hits.map(({ kind, seq, score }) => ({ key: keyOf(kind, seq), score }))
  return fuse(keyed(text), keyed(vector), query.weights).map(({ key, score, text, vector }) => {
    const { kind, seq } = known.get(key) as Found
    return { kind, seq, score, parts: { text, vector } }
  })
}

function explanation(ranks: readonly Ranks[], hit: Found, terms: readonly QueryTerm[]): Explanation {
  const of = ranks.find(({ kind }) => kind === hit.kind)
  const inText = of?.text?.scores.findIndex(({ seq }) => seq === hit.seq) ?? -1
  const inVector = of?.vector.findIndex(({ seq }) => seq === hit.seq) ?? -1
  const text = of?.text?.scores[inText]
  const vector = of?.vector[inVector]
  return {
    terms: terms.map(({ text }) => text),
    bm25: text?.bm25 ?? 0,
    ...(of?.text && text && { text: { score: text.score, rank: inText + 1, terms: of.text.ranking.explain(hit.seq) } }),
    ...(vector && { vector: { score: vector.score, similarity: vector.similarity, rank: inVector + 1 } }),
    ...(hit.parts && { fusion: hit.parts }),
  }
}

/** What both parts of a search found, before any record is read. */
interface Ranked {
  readonly terms: readonly QueryTerm[]
  readonly ranks: readonly Ranks[]
}

type Bound = Record<string, unknown> & { readonly now: Date }

/** @param vector Null where vectors are not compared, or elsewhere. */
async function rank(
  context: SqlContext,
  session: SqlSession,
  query: CheckedQuery,
  values: Bound,
  vector: Float32Array | null,
): Promise<Ranked> {
  const byText = query.mode !== 'vector'
  const terms = byText ? await queryTerms(context, session, query.text, query.filter) : []
  const alone = query.mode === 'vector' && !query.factors
  const ranks: Ranks[] = []
  for (const kind of query.kinds)
    ranks.push({
      kind,
      text: byText ? await rankByText(context, session, kind, { ...query, terms, values }) : null,
      vector: vector ? await rankByVector(context, session, kind, { ...query, vector, values, alone }) : [],
    })
  return { terms, ranks }
}

const wantedOf = (query: CheckedQuery): number => (query.rerank ? Math.max(query.limit, RERANKED) : query.limit)

/** Reads the records of what was found, best first, until there are enough: some may have gone meanwhile. */
async function hitsOf(
  context: SqlContext,
  session: SqlSession,
  query: CheckedQuery,
  { terms, ranks }: Ranked,
  values: Bound,
): Promise<Hit[]> {
  const reading: Reading = { context, session, filter: query.filter, values }
  const wanted = wantedOf(query)
  const all = fused(query, ranks).filter((hit) => query.factors || hit.score >= query.minScore)
  const scores = new Map<string, VectorScore[]>()
  for (const { kind, vector } of ranks)
    for (const score of vector) {
      const key = keyOf(kind, score.seq)
      const others = scores.get(key)
      if (others) others.push(score)
      else scores.set(key, [score])
    }
  const taken = new Set<string>()
  const hits: Hit[] = []
  for (let at = 0; at < all.length && hits.length < wanted; ) {
    const few = query.factors ? all : all.slice(at, at + wanted - hits.length)
    at += few.length
    const missing = few.filter((hit) => !scores.get(keyOf(hit.kind, hit.seq))?.[0]?.record)
    const stored: ReadonlyMap<string, Stored> = missing.length > 0 ? await records(reading, missing) : new Map()
    for (const hit of few) {
      const key = keyOf(hit.kind, hit.seq)
      const found = scores.get(key) ?? []
      const row = stored.get(key) ?? found[0]?.record
      if (!row || taken.has(key) || !isFound(ranks, hit, found, row)) continue
      taken.add(key)
      hits.push(toHit(query, hit, row, { terms, ranks }, values.now))
    }
  }
  if (query.factors) hits.sort((a, b) => b.score - a.score)
  return hits.filter((hit) => hit.score >= query.minScore).slice(0, wanted)
}

/** Whether a record is what was found: a semantic store may still have one that had the same number before. */
function isFound(ranks: readonly Ranks[], hit: Found, scores: readonly VectorScore[], row: Stored): boolean {
  if (scores.length === 0) return true
  if (scores.some((score) => (hit.parts || score.score === hit.score) && isMeant(score, row))) return true
  return ranks.some(({ kind, text }) => kind === hit.kind && text?.scores.some(({ seq }) => seq === hit.seq))
}

function toHit(query: CheckedQuery, found: Found, row: Stored, { terms, ranks }: Ranked, now: Date): Hit {
  const { seq: _, ...record } = row
  const factors =
    query.factors && found.kind === 'memory' ? factorsOf(query.factors, record as MemoryEntry, now.getTime()) : null
  const score = Math.min(1, found.score * (factors ? factors.recency * factors.importance : 1))
  const explain = query.explain && { ...explanation(ranks, found, terms), ...(factors && { factors }) }
  return { kind: found.kind, record, score, ...(explain && { explain }) } as Hit
}

const boundOf = (context: SqlContext): Bound => ({ tenantId: context.tenantId, now: now(context) })

/** Everything that is read, in one read of the store. */
async function find(
  context: SqlContext,
  session: SqlSession,
  query: CheckedQuery,
  vector: Float32Array | null,
): Promise<Hit[]> {
  const values = boundOf(context)
  return hitsOf(context, session, query, await rank(context, session, query, values, vector), values)
}

/** The texts here and the vectors elsewhere at the same time; then the records, whose filter is met once more. */
async function findWithSemantic(
  context: SqlContext,
  query: CheckedQuery,
  vector: Float32Array,
  inUnit: boolean,
): Promise<Hit[]> {
  const values = boundOf(context)
  const { read } = context.runner
  const nearest = (limit: number) => nearestElsewhere(context, query, vector, { limit, inUnit })
  const ask = query.mode === 'hybrid' ? (limit: number) => orNothing(nearest(limit)) : nearest
  let limit = askedAtFirst(query, wantedOf(query))
  const [ranked, first] = await Promise.all([
    query.mode === 'vector' ? rankless(query) : read((session) => rank(context, session, query, values, null)),
    ask(limit),
  ])
  for (let near: NearHits | null = first; ; near = await ask(limit)) {
    const ranks = ranked.ranks.map((each) => ({ ...each, vector: near ? scoresOf(context, near, each.kind) : [] }))
    const hits = await read((session) => hitsOf(context, session, query, { ...ranked, ranks }, values))
    if (!near) return markDegraded(hits)
    // What is fused has other scores than the store's: of little that is good enough nobody knows why.
    const unsure = query.mode === 'hybrid' && query.minScore > 0
    const enough = hits.length >= query.limit || unsure || limit >= MOST_NEAR
    if (enough || !mayHaveMore(near, ranks, query.minScore)) return hits
    limit *= 4
  }
}

/** Nothing that is found by text. */
const rankless = ({ kinds }: CheckedQuery): Ranked => ({
  terms: [],
  ranks: kinds.map((kind) => ({ kind, text: null, vector: [] })),
})

/** A hybrid search goes on by text alone where the semantic store is away, and says so. */
async function orNothing(near: Promise<NearHits>): Promise<NearHits | null> {
  try {
    return await near
  } catch (error) {
    if (error instanceof ConnectionError || error instanceof TimeoutError || error instanceof OverloadedError)
      return null
    throw error
  }
}

/**
 * Best first. A question without a word that the analyzer keeps finds nothing by text. The reranker may be a service, so
 * it is asked when nothing is held any more: not inside a unit, which is one transaction to its end.
 */
export function sqlSearch(
  context: SqlContext,
  enabled: boolean,
  inUnit: boolean,
): (query: SearchQuery) => Promise<Hit[]> {
  const reranker = inUnit ? null : context.reranker
  return async (input) => {
    const checked = checkQuery(input, context.weights)
    const blank = checked.text.trim() === ''
    const query = { ...checked, rerank: checked.rerank && reranker !== null && !blank }
    if (!enabled && query.mode !== 'vector')
      throw new UnsupportedError(
        'textSearch',
        'this memory was opened with enableFts: false; open it with enableFts: true',
      )
    if (query.mode !== 'text' && query.vector === null && blank) return []
    // The question's vector is made before anything is read: no read waits for a model.
    const vector = query.mode === 'text' ? null : await context.vectors.queryVector(query.text, query.vector, inUnit)
    const hits =
      vector && context.semantic
        ? await findWithSemantic(context, query, vector, inUnit)
        : await context.runner.read((session) => find(context, session, query, vector))
    if (!query.rerank || reranker === null) return hits
    const better = await rerank(reranker, query.text, hits, query.explain)
    return better.filter((hit) => hit.score >= query.minScore).slice(0, query.limit)
  }
}

/** The memories that a text finds, for `recall`, which is a write: no reranker is waited for. */
export async function searchMemories(
  context: SqlContext,
  session: SqlSession,
  text: string,
  filter: Filter,
  limit: number,
): Promise<MemoryEntry[]> {
  const query = checkQuery({ ...filter, text, kinds: ['memory'], limit, rerank: false }, context.weights)
  return (await find(context, session, query, null)).map((hit) => hit.record as MemoryEntry)
}
