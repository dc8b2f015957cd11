import { type SQL, sql } from 'drizzle-orm/sql/sql'
import { LRUCache } from 'lru-cache'
import type { QueryTerm } from '../../search/analyzer.js'
import type { TermStatistics } from '../../search/ranking.js'
import { perEngine, type SearchedTable, type SqlEngine, type SqlSession, type TextSearch } from '../sql/engine.js'
import { count, list, type Values, value } from '../sql/statement.js'
import { arrayOf } from './arrays.js'

/** A term of the index, which has the tenant's token in front, as a tsquery. */
function term(token: string, { text, prefix }: QueryTerm): string {
  const quoted = `${token}${text}`.replace(/['\\]/g, '$&$&')
  return `'${quoted}'${prefix ? ':*' : ''}`
}

/** What a term is worth: Robertson's inverse document frequency, as the ranking has it. */
const worth = (total: number, n: number): number => Math.log(1 + (Math.max(total, n) - n + 0.5) / (n + 0.5))

export function matchValues(token: string, terms: readonly QueryTerm[], statistics: TermStatistics): Values {
  const values: Record<string, unknown> = {
    match: terms.map((each) => term(token, each)).join(' | '),
    terms: arrayOf(terms.map((each) => term(token, each))),
    worths: arrayOf(statistics.frequencies.map((n) => worth(statistics.total, n))),
  }
  terms.forEach((each, i) => {
    values[`term${i}`] = term(token, each)
    values[`worth${i}`] = worth(statistics.total, statistics.frequencies[i] ?? 0)
  })
  return values
}

/** Characters of a text of the usual length; the ranking itself knows the real mean. */
const USUAL_LENGTH = 300

const vectorOf = (engine: SqlEngine, table: SearchedTable): SQL => sql`${engine.tables[table]}."search_vector"`

/**
 * What the index finds for any term, the rows whose terms are worth most first. `ts_rank` knows nothing of how common
 * a word is.
 */
export function textSearch(engine: SqlEngine, { table, selection, join, where, terms }: TextSearch): SQL {
  const rows = engine.tables[table]
  const vector = vectorOf(engine, table)
  const parts = Array.from(
    { length: terms },
    (_, i) => sql`case when ${vector} @@ ${value(`term${i}`)}::tsquery then ${value(`worth${i}`)}::float8 else 0 end`,
  )
  const length = sql`(0.84 + 0.36 * length(${rows.searchText}) / ${sql.raw(String(USUAL_LENGTH))})`
  return sql`select ${list(selection)} from ${rows} ${join ? sql`join ${join.table} on ${join.on}` : sql``}
    where ${vector} @@ ${value('match')}::tsquery and ${where}
    order by (${sql.join(parts, sql` + `)}) / ${length} desc, ${rows.seq} limit ${value('candidates')}`
}

/**
 * The same under row-level security, by a function that finds and ranks the tenant's rows: \`depth\` of them, of which
 * the conditions then leave some.
 */
export function securedTextSearch(engine: SqlEngine, { table, selection, join, where }: TextSearch): SQL {
  const rows = engine.tables[table]
  const conversation = table === 'documents' ? sql`null` : sql`${value('conversationId')}::text`
  return sql`select ${list(selection)}
    from bruno_search_rows(${nameOf(table)}, ${value('terms')}::tsquery[], ${value('worths')}::float8[], ${conversation}, ${value('depth')}::bigint)
      with ordinality as found(seq, n)
    join ${rows} on ${rows.tenantId} = ${value('tenantId')} and ${rows.seq} = found.seq
    ${join ? sql`join ${join.table} on ${join.on}` : sql``} where ${where} order by found.n limit ${value('candidates')}`
}
const nameOf = (table: SearchedTable): SQL => sql.raw(`'bruno_${table}'`)

/** Up to here the rows of a term are counted at each search. */
const COUNTED = 1000
/** Milliseconds for which a larger count is taken as it was. */
const KEPT = 60_000

const frequencies = perEngine((engine) => {
  const of = (table: SearchedTable) => {
    const selection = { n: count(sql``) }
    const matching = (bound: SQL): SQL =>
      sql`(select 1 from ${engine.tables[table]} where ${vectorOf(engine, table)} @@ q.term ${bound}) as found`
    const counts = (bound: SQL): SQL =>
      sql`select (select count(*) from ${matching(bound)}) from unnest(${value('terms')}::tsquery[]) with ordinality as q(term, n) order by q.n`
    const secured = (bound: number) =>
      sql`select n from bruno_search_counts(${nameOf(table)}, ${value('terms')}::tsquery[], ${sql.raw(String(bound))}) as n`
    return {
      some: engine.statement(selection, () => counts(sql`limit ${sql.raw(String(COUNTED + 1))}`)),
      all: engine.statement(selection, () => counts(sql``)),
      securedSome: engine.statement(selection, () => secured(COUNTED + 1)),
      securedAll: engine.statement(selection, () => secured(Number.MAX_SAFE_INTEGER)),
    }
  }
  return {
    statements: { messages: of('messages'), memories: of('memories'), documents: of('documents') },
    known: new LRUCache<string, { readonly n: number; readonly at: number }>({ max: 20_000 }),
  }
})

/** In how many of the tenant's rows each term occurs: exact up to a thousand, beyond that at most a minute old. */
export async function termFrequencies(
  engine: SqlEngine,
  session: SqlSession,
  table: SearchedTable,
  token: string,
  terms: readonly QueryTerm[],
  secured = false,
): Promise<number[]> {
  const { statements, known } = frequencies(engine)
  const at = performance.now()
  const name = (each: QueryTerm) => `${table} ${term(token, each)}`
  const found = terms.map((each) => {
    const old = known.get(name(each))
    return old && at - old.at < KEPT ? old.n : null
  })
  const open = terms.flatMap((_, i) => (found[i] === null ? [i] : []))
  const ask = async (which: readonly number[], exact: boolean) => {
    if (which.length === 0) return
    const asked = arrayOf(which.map((i) => term(token, terms[i] as QueryTerm)))
    const of = statements[table]
    const statement = secured ? (exact ? of.securedAll : of.securedSome) : exact ? of.all : of.some
    const rows = await session.all(statement, { terms: asked })
    which.forEach((i, at) => {
      found[i] = rows[at]?.n ?? 0
    })
  }
  await ask(open, false)
  const many = open.filter((i) => (found[i] ?? 0) > COUNTED)
  await ask(many, true)
  for (const i of many) known.set(name(terms[i] as QueryTerm), { n: found[i] ?? 0, at })
  return found.map((n) => n ?? 0)
}
