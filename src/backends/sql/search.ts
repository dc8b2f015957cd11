import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Hit, SearchQuery } from '../../contract/search.js'
import { UnsupportedError, ValidationError } from '../../errors.js'
import { checkFlag, checkLimit, checkNames } from '../../model/page-options.js'
import type { SearchKind } from '../../model/records.js'
import { documentColumns, memoryColumns, messageColumns } from './columns.js'
import { now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlEngine, type SqlSession, TABLE_OF } from './engine.js'
import { checkFilter, FILTER_NAMES, type FilterSql, filterSql, searchKinds } from './filters.js'
import { count, type Selection, type Statement } from './statement.js'

const COLUMNS = { message: messageColumns, memory: memoryColumns, document: documentColumns }
type Found = Hit['record'] & { readonly rank: number }

/** Statements by shape: the text of a search does not depend on what is searched. */
const kept = perEngine(() => new Map<string, Statement<Found>>())

function searchSql(engine: SqlEngine, kind: SearchKind, selection: Selection, filter: FilterSql): SQL {
  const { conversations, messages } = engine.tables
  const table = engine.tables[TABLE_OF[kind]]
  const join =
    kind === 'message'
      ? {
          table: sql`${conversations}`,
          on: sql`${conversations.tenantId} = ${messages.tenantId} and ${conversations.id} = ${messages.conversationId}`,
        }
      : null
  const where = sql.join([tenantIs(table.tenantId), ...filter.conditions], sql` and `)
  return engine.textSearch({ table: TABLE_OF[kind], selection, join, where })
}

function statementOf(engine: SqlEngine, kind: SearchKind, filter: FilterSql): Statement<Found> {
  const statements = kept(engine)
  const found = filter.shape === null ? undefined : statements.get(filter.shape)
  if (found) return found
  const columns: Selection = COLUMNS[kind](engine.tables)
  // The engine adds the rank as the last column.
  const selection: Selection = { ...columns, rank: count(sql``) }
  const made = engine.statement(selection, () =>
    searchSql(engine, kind, columns, filter),
  ) as unknown as Statement<Found>
  if (filter.shape !== null) statements.set(filter.shape, made)
  return made
}

export interface TableSearch {
  readonly text: string
  readonly filter: FilterSql
  readonly limit: number
  readonly explain?: boolean | undefined
}

/** Best first. A question without a word that the analyzer keeps finds nothing. */
export async function searchTable(
  context: SqlContext,
  session: SqlSession,
  kind: SearchKind,
  search: TableSearch,
): Promise<Hit[]> {
  const { engine, analyzer, tenantId } = context
  const terms = analyzer.queryTerms(search.text)
  if (terms.length === 0) return []
  const match = engine.conditions.match(analyzer.tenantToken(tenantId), terms)
  const values = { ...search.filter.values, tenantId, match, now: now(context), limit: search.limit }
  const rows = await session.all(statementOf(engine, kind, search.filter), values)
  return rows.map(({ rank, ...record }) => {
    const bm25 = Math.max(0, rank)
    const hit = { kind, record, score: bm25 / (1 + bm25) }
    return (search.explain ? { ...hit, explain: { terms: terms.map((t) => t.text), bm25 } } : hit) as Hit
  })
}

const NAMES = ['text', 'mode', 'kinds', 'limit', 'explain', ...FILTER_NAMES]

export function sqlSearch(context: SqlContext, enabled: boolean): (query: SearchQuery) => Promise<Hit[]> {
  return async (query) => {
    checkNames(query, NAMES, 'query')
    const { text, mode = 'text', kinds, limit: wanted, explain, ...filter } = query
    if (typeof text !== 'string')
      throw new ValidationError('text', text === undefined ? 'is required' : 'must be a string')
    if (!['text', 'vector', 'hybrid'].includes(mode))
      throw new ValidationError('mode', 'must be text, vector or hybrid')
    if (mode !== 'text')
      throw new UnsupportedError(
        'vectorSearch',
        `mode "${mode}" needs vectors, which this memory has none of: add a semantic store`,
      )
    if (!enabled)
      throw new UnsupportedError(
        'textSearch',
        'this memory was opened with enableFts: false; open it with enableFts: true',
      )
    const limit = checkLimit(wanted, 'limit', 10)
    checkFlag(explain, 'explain')
    checkFilter(filter)
    const wantedKinds = searchKinds(filter, kinds)
    return context.runner.read(async (session) => {
      const hits: Hit[] = []
      for (const kind of wantedKinds)
        hits.push(
          ...(await searchTable(context, session, kind, {
            text,
            filter: filterSql(context.engine, kind, filter),
            limit,
            explain,
          })),
        )
      return wantedKinds.length === 1 ? hits : hits.sort((a, b) => b.score - a.score).slice(0, limit)
    })
  }
}
