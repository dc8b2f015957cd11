import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import { ConflictError } from '../../errors.js'
import { INSERTED } from '../sql/columns.js'
import { perEngine, type SearchedTable, type SqlEngine } from '../sql/engine.js'
import { bare, type Statement, type Values, value } from '../sql/statement.js'
import { insertInto } from '../sql/write.js'
import { columnOf, typeOf } from './arrays.js'
import { codeOf, refusedKey, translateError } from './errors.js'
import type { PostgresqlSession } from './session.js'

type Row = Readonly<Record<string, unknown>>
/** What names a row, in the order of the primary key. */
const KEYS: { readonly [T in SearchedTable]: readonly string[] } = {
  messages: ['tenantId', 'conversationId', 'id'],
  memories: ['tenantId', 'id'],
  documents: ['tenantId', 'namespace', 'id'],
}

export const columnsOf = (engine: SqlEngine, table: SearchedTable): Readonly<Record<string, AnySQLiteColumn>> =>
  engine.tables[table] as unknown as Record<string, AnySQLiteColumn>

/** `unnest(…) as u(…)`, to be closed, over one array a column, bound by the column's key, and further ones of integers. */
export function unnested(
  columns: Readonly<Record<string, AnySQLiteColumn>>,
  keys: readonly string[],
  tail: SQL,
  further: readonly string[] = [],
): SQL {
  const arrays = keys.map((key) => sql`${value(key)}::${sql.raw(`${typeOf(columns[key] as AnySQLiteColumn)}[]`)}`)
  arrays.push(...further.map((name) => sql`${value(name)}::bigint[]`))
  const names = keys.map((key) => bare(columns[key] as AnySQLiteColumn))
  return sql`unnest(${sql.join(arrays, sql`, `)}) ${tail} as u(${sql.join(names, sql`, `)}`
}

export function arrays(
  columns: Readonly<Record<string, AnySQLiteColumn>>,
  keys: readonly string[],
  rows: readonly Row[],
): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [key, columnOf(columns[key] as AnySQLiteColumn, rows, key)]))
}

const statements = perEngine((engine) => {
  const of = (table: SearchedTable): { one: Statement<never>; many: Statement<never>; keys: readonly string[] } => {
    const columns = columnsOf(engine, table)
    const keys = INSERTED[table].filter((key) => key !== 'revision')
    const names = keys.map((key) => bare(columns[key] as AnySQLiteColumn))
    return {
      keys,
      one: engine.command(() => insertInto(engine, table, INSERTED[table])),
      many: engine.command(
        () => sql`insert into ${engine.tables[table]} (${sql.join(names, sql`, `)}, revision)
          select ${sql.join(
            names.map((name) => sql`u.${name}`),
            sql`, `,
          )}, ${engine.revision} from ${unnested(columns, keys, sql``)})`,
      ),
    }
  }
  return { messages: of('messages'), memories: of('memories'), documents: of('documents') }
})

/** Which row the server refused, by the key that it names; the second of two with one key. */
export function conflict(
  error: unknown,
  table: SearchedTable,
  rows: readonly Row[],
  path: (index: number) => string,
): Error {
  if (codeOf(error) !== '23505') return translateError(error)
  const refused = refusedKey(error)
  const named = rows.map((row) => refused.includes(`=(${KEYS[table].map((key) => row[key]).join(', ')})`))
  const at = named.lastIndexOf(true)
  const translated = translateError(error)
  return at < 0 ? translated : new ConflictError(`${path(at)}: this id exists already`, { cause: translated.cause })
}

/** Inserts rows by one statement, one array a column. */
export async function insertRows(
  engine: SqlEngine,
  session: PostgresqlSession,
  table: SearchedTable,
  rows: readonly Values[],
  path: (index: number) => string,
): Promise<void> {
  const [first] = rows
  if (!first) return
  const { one, many, keys } = statements(engine)[table]
  try {
    if (rows.length === 1) await session.attempt(one, first)
    else await session.attempt(many, arrays(columnsOf(engine, table), keys, rows))
  } catch (error) {
    throw conflict(error, table, rows, path)
  }
}
