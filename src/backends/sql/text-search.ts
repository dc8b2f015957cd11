import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Filter } from '../../contract/filter.js'
import type { SearchKind } from '../../model/records.js'
import type { QueryTerm } from '../../search/analyzer.js'
import { NEIGHBOURHOOD, type RankedText, Ranking, type TextScore } from '../../search/ranking.js'
import { type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlEngine, type SqlSession, TABLE_OF } from './engine.js'
import { type FilterSql, filterSql } from './filters.js'
import { count, list, type Selection, type Statement } from './statement.js'
import { total } from './totals.js'

/** Characters of a neighbour's text that are looked at: it only lends its words. */
const NEIGHBOUR_TEXT = 4000

interface Candidate {
  readonly seq: number
  readonly searchText: string
  readonly conversationId?: string
  readonly position?: number
  readonly title?: string | null
  readonly tags?: readonly string[]
}
interface Neighbour extends Candidate {
  /** Whether it meets the filter itself. */
  readonly fits: number
}

/** Statements by shape: the text of a search does not depend on what is searched. */
const kept = perEngine(() => new Map<string, Statement<unknown>>())

/** A statement whose text depends on the filter's shape alone. */
export function shaped<R>(
  engine: SqlEngine,
  purpose: string,
  filter: FilterSql,
  selection: Selection,
  query: () => SQL,
): Statement<R> {
  const name = filter.shape === null ? null : `${purpose} ${filter.shape}`
  const found = name === null ? undefined : kept(engine).get(name)
  if (found) return found as Statement<R>
  const made = engine.statement(selection, query) as unknown as Statement<R>
  if (name !== null) kept(engine).set(name, made)
  return made
}

/** A message's conversation, which its filter may name. */
export function conversationOf({ tables: { conversations: c, messages: m } }: SqlEngine, kind: SearchKind) {
  return kind === 'message'
    ? { table: sql`${c}`, on: sql`${c.tenantId} = ${m.tenantId} and ${c.id} = ${m.conversationId}` }
    : null
}

export function whereOf(engine: SqlEngine, kind: SearchKind, filter: FilterSql): SQL {
  return sql.join([tenantIs(engine.tables[TABLE_OF[kind]].tenantId), ...filter.conditions], sql` and `)
}

function candidateStatement(
  engine: SqlEngine,
  kind: SearchKind,
  filter: FilterSql,
  terms: number,
): Statement<Candidate> {
  const { conversations: c, messages: m } = engine.tables
  const table = engine.tables[TABLE_OF[kind]]
  const selection: Selection =
    kind === 'message'
      ? {
          seq: m.seq,
          searchText: m.searchText,
          conversationId: m.conversationId,
          position: m.position,
          title: c.title,
          tags: c.tags,
        }
      : { seq: table.seq, searchText: table.searchText }
  return shaped(engine, `text ${terms}`, filter, selection, () =>
    engine.textSearch({
      table: TABLE_OF[kind],
      selection,
      join: conversationOf(engine, kind),
      where: whereOf(engine, kind, filter),
      terms,
    }),
  )
}

function neighbourStatement(engine: SqlEngine, filter: FilterSql): Statement<Neighbour> {
  const { conversations: c, messages: m } = engine.tables
  const where = whereOf(engine, 'message', filter)
  const selection: Selection = {
    seq: m.seq,
    conversationId: m.conversationId,
    position: m.position,
    searchText: { sql: sql`substr(${m.searchText}, 1, ${sql.raw(String(NEIGHBOUR_TEXT))})`, decode: String },
    fits: count(sql`case when ${where} then 1 else 0 end`),
  }
  return shaped(
    engine,
    'neighbours',
    filter,
    selection,
    () => sql`select ${list(selection)} from ${engine.conditions.rows('windows', WINDOW)} as w
      ${engine.join} ${m} on ${tenantIs(m.tenantId)} and ${m.conversationId} = w.conversation_id and ${m.position} between w.low and w.high
      ${engine.join} ${c} on ${c.tenantId} = ${m.tenantId} and ${c.id} = ${m.conversationId}`,
  )
}

/** Positions of a conversation, both ends included. */
export type PositionWindow = readonly [conversationId: string, low: number, high: number]
export const WINDOW = { conversation_id: 'text', low: 'integer', high: 'integer' } as const

/** Stretches of positions around some messages, joined where they meet. */
export function windowsAround(
  places: Iterable<{ readonly conversationId?: string; readonly position?: number }>,
  reach: number,
): PositionWindow[] {
  const positions = new Map<string, number[]>()
  for (const { conversationId = '', position = 0 } of places) {
    const known = positions.get(conversationId)
    if (known) known.push(position)
    else positions.set(conversationId, [position])
  }
  const windows: [string, number, number][] = []
  for (const [conversationId, list] of positions) {
    let open: [string, number, number] | null = null
    for (const position of list.sort((a, b) => a - b)) {
      if (open && position - reach <= open[2] + 1) open[2] = position + reach
      else {
        open = [conversationId, position - reach, position + reach]
        windows.push(open)
      }
    }
  }
  return windows
}

export interface TextQuery {
  readonly terms: readonly QueryTerm[]
  readonly filter: Filter
  readonly candidates: number
  readonly neighbours: boolean
}
export interface TextRanks {
  /** Best first. */
  readonly scores: readonly TextScore[]
  readonly ranking: Ranking
}

/** What the text index finds, ranked by the tenant's own statistics. */
export async function rankByText(
  context: SqlContext,
  session: SqlSession,
  kind: SearchKind,
  query: TextQuery & { readonly values: Record<string, unknown> },
): Promise<TextRanks | null> {
  const { engine, analyzer, tenantId } = context
  const { terms } = query
  if (terms.length === 0) return null
  const filter = filterSql(engine, kind, query.filter)
  const token = analyzer.tenantToken(tenantId)
  const table = TABLE_OF[kind]
  const [all, frequencies] = await Promise.all([
    total(context, session, table),
    engine.termFrequencies(session, table, token, terms),
  ])
  if (frequencies.every((n) => n === 0)) return null
  const statistics = { total: all, frequencies }
  const match = engine.conditions.match(token, terms, statistics)
  const values = { ...filter.values, ...query.values, ...match, candidates: query.candidates }
  const statement = candidateStatement(engine, kind, filter, terms.length)
  let candidates: Candidate[] = []
  for (const depth of engine.depths?.(query.candidates) ?? [0]) {
    candidates = await session.all(statement, { ...values, depth })
    if (candidates.length >= query.candidates) break
  }
  if (candidates.length === 0) return null
  const near = kind === 'message' && query.neighbours
  const texts = new Map<number, RankedText>()
  const unfit = new Set<number>()
  const labels = kind === 'message' ? labelsOf(context, candidates) : new Map<string, ReadonlySet<string>>()
  const add = (row: Candidate) =>
    texts.set(row.seq, {
      seq: row.seq,
      group: row.conversationId ?? null,
      position: row.position ?? 0,
      searchText: row.searchText,
      label: labels.get(row.conversationId ?? '') ?? null,
    })
  candidates.forEach(add)
  if (near) {
    const windows = engine.conditions.encodeRows(windowsAround(candidates, NEIGHBOURHOOD))
    for (const row of await session.all(neighbourStatement(engine, filter), { ...values, windows })) {
      if (texts.has(row.seq)) continue
      add(row)
      if (!row.fits) unfit.add(row.seq)
    }
  }
  const ranking = new Ranking(terms, statistics, [...texts.values()], near)
  return { ranking, scores: ranking.ranked().filter(({ seq }) => !unfit.has(seq)) }
}

/** The words of each conversation's title and tags. */
function labelsOf({ analyzer, tenantId }: SqlContext, rows: readonly Candidate[]): Map<string, ReadonlySet<string>> {
  const labels = new Map<string, ReadonlySet<string>>()
  for (const { conversationId, title, tags } of rows) {
    if (conversationId === undefined || labels.has(conversationId) || (!title && !tags?.length)) continue
    const words = analyzer.searchText(tenantId, title ?? null, ...(tags ?? [])).split(' ')
    labels.set(conversationId, new Set(words.slice(1)))
  }
  return labels
}
