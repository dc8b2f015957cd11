import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Filter } from '../../contract/filter.js'
import type { Explanation, Hit, SearchQuery } from '../../contract/search.js'
import { UnsupportedError } from '../../errors.js'
import type { MemoryEntry, SearchKind } from '../../model/records.js'
import { type CheckedQuery, checkQuery } from '../../repository/search-query.js'
import type { QueryTerm } from '../../search/analyzer.js'
import { factorsOf } from '../../search/factors.js'
import { fuse } from '../../search/fusion.js'
import { rerank } from '../../search/rerank.js'
import { queryTerms } from './analyzer.js'
import { now, type SqlContext } from './context.js'
import { type SqlEngine, type SqlSession, TABLE_OF } from './engine.js'
import { type FilterSql, filterSql } from './filters.js'
import { list, type Selection, type Statement } from './statement.js'
import { conversationOf, rankByText, shaped, type TextRanks, whereOf } from './text-search.js'
import { RECORD_COLUMNS, rankByVector, type VectorScore } from './vector-search.js'

/** Hits that a reranker sees. */
const RERANKED = 50

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

/** Everything that is read, in one read of the store. */
async function find(
  context: SqlContext,
  session: SqlSession,
  query: CheckedQuery,
  vector: Float32Array | null,
): Promise<Hit[]> {
  const values = { tenantId: context.tenantId, now: now(context) }
  const reading: Reading = { context, session, filter: query.filter, values }
  const terms = query.mode === 'vector' ? [] : await queryTerms(context, session, query.text, query.filter)
  const ranks: Ranks[] = []
  for (const kind of query.kinds)
    ranks.push({
      kind,
      text: query.mode === 'vector' ? null : await rankByText(context, session, kind, { ...query, terms, values }),
      vector:
        vector === null
          ? []
          : await rankByVector(context, session, kind, {
              ...query,
              vector,
              values,
              alone: query.mode === 'vector' && !query.factors,
            }),
    })
  const wanted = query.rerank ? Math.max(query.limit, RERANKED) : query.limit
  const all = fused(query, ranks)
  const few = query.factors ? all : enough(all, query, wanted)
  const read = new Map(
    ranks.flatMap(({ kind, vector }) =>
      vector.flatMap(({ seq, record }) => (record ? [[keyOf(kind, seq), record] as const] : [])),
    ),
  )
  const missing = few.filter((hit) => !read.has(keyOf(hit.kind, hit.seq)))
  const stored = new Map([...read, ...(missing.length > 0 ? await records(reading, missing) : [])])
  const hits = few.flatMap((hit) => {
    const row = stored.get(keyOf(hit.kind, hit.seq))
    if (!row) return []
    const { seq: _, ...record } = row
    const factors =
      query.factors && hit.kind === 'memory'
        ? factorsOf(query.factors, record as MemoryEntry, values.now.getTime())
        : null
    const score = Math.min(1, hit.score * (factors ? factors.recency * factors.importance : 1))
    const explain = query.explain && { ...explanation(ranks, hit, terms), ...(factors && { factors }) }
    return [{ kind: hit.kind, record, score, ...(explain && { explain }) } as Hit]
  })
  if (query.factors) hits.sort((a, b) => b.score - a.score)
  return hits.filter((hit) => hit.score >= query.minScore).slice(0, wanted)
}

const enough = (all: readonly Found[], query: CheckedQuery, wanted: number): readonly Found[] =>
  all.filter((hit) => hit.score >= query.minScore).slice(0, wanted)

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
    const hits = await context.runner.read((session) => find(context, session, query, vector))
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
