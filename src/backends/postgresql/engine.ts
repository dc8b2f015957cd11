import { CasingCache } from 'drizzle-orm/casing'
import { Column } from 'drizzle-orm/column'
import { is } from 'drizzle-orm/entity'
import { Param, Placeholder, type SQL, sql } from 'drizzle-orm/sql/sql'
import * as tables from '../../../schema/postgresql.js'
import type { SqlEngine, Tables, VectorEngine } from '../sql/engine.js'
import { makeStatement } from '../sql/statement.js'
import { analyze } from './analyze.js'
import { conditions } from './conditions.js'
import { insertRows } from './insert.js'
import { olderEnded, raiseRevision } from './older.js'
import type { PostgresqlSession } from './session.js'
import { securedTextSearch, termFrequencies, textSearch } from './text-search.js'

// What Drizzle's own dialect hands to the same method; the dialect itself would load every query builder.
const rendering = {
  casing: new CasingCache(),
  escapeName: (name: string) => `"${name.replace(/"/g, '""')}"`,
  escapeParam: (index: number) => `$${index + 1}`,
  escapeString: (text: string) => `'${text.replace(/'/g, "''")}'`,
}

type Query = ReturnType<SQL['toQuery']>

/** What a parameter is bound to: a value's name, and how it is encoded. */
function identity(param: unknown): { readonly name: string; readonly encoder: unknown } | null {
  if (is(param, Placeholder)) return { name: param.name, encoder: null }
  if (!is(param, Param) || !is(param.value, Placeholder)) return null
  // Columns of one type encode alike.
  const { encoder } = param
  return { name: param.value.name, encoder: is(encoder, Column) ? encoder.getSQLType() : encoder }
}

/** The same value bound once, however often it is named. */
function bindOnce({ sql: text, params, ...rest }: Query): Query {
  const kept: unknown[] = []
  const known: { readonly name: string; readonly encoder: unknown; readonly at: number }[] = []
  const places = params.map((param) => {
    const same = identity(param)
    const found = same && known.find((each) => each.name === same.name && each.encoder === same.encoder)
    if (found) return found.at
    kept.push(param)
    if (same) known.push({ ...same, at: kept.length })
    return kept.length
  })
  return { ...rest, sql: text.replace(/\$(\d+)/g, (_, n: string) => `$${places[Number(n) - 1]}`), params: kept }
}

export interface EngineOptions {
  readonly vectors: ((engine: () => SqlEngine) => VectorEngine) | null
  /** Whether the tables have policies. */
  readonly secured: boolean
}

/** How many rows the search functions find at first, for each candidate; then all of them. */
const DEPTH = 10

export function postgresqlEngine({ vectors, secured }: EngineOptions): SqlEngine {
  const engine: SqlEngine = {
    tables: tables as unknown as Tables,
    // Drawn by each row: others see them only when they are committed, and none is drawn before its row is locked.
    revision: sql`nextval('bruno_revision')`,
    join: sql`join`,
    databaseTime: sql`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`,
    milliseconds: (instant) => sql`floor(extract(epoch from ${instant}) * 1000)::bigint`,
    olderEnded: (runner) => olderEnded(engine, runner),
    raiseRevision: (session, above) => raiseRevision(engine, session, above),
    analyze: (session, least) => analyze(engine, session, least),
    forUpdate: sql`for update`,
    forClaim: sql`for update skip locked`,
    lookedUp: ({ rows, table, columns, where, lock }) =>
      sql`select found.* from ${rows} cross join lateral (select ${columns} from ${table} where ${where} ${lock}) as found`,
    statement: (selection, query) => makeStatement(() => bindOnce(query().toQuery(rendering)), selection),
    command: (query) => makeStatement<never>(() => bindOnce(query().toQuery(rendering)), null),
    conditions,
    insert: (session, table, rows, path) => insertRows(engine, session as PostgresqlSession, table, rows, path),
    // The index is a generated column, and the followers are told by triggers.
    insertSelect: async (session, _table, statement, values) => session.run(statement, values),
    textSearch: (search) => (secured ? securedTextSearch : textSearch)(engine, search),
    ...(secured && { depths: (candidates: number) => [candidates * DEPTH, Number.MAX_SAFE_INTEGER] }),
    termFrequencies: (session, table, token, terms) => termFrequencies(engine, session, table, token, terms, secured),
    ...(vectors && { vectors: vectors(() => engine) }),
  }
  return engine
}
