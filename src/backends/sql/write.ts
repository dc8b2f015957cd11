import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { SqlEngine, Tables } from './engine.js'
import { bare, bind } from './statement.js'

type TableName = Exclude<keyof Tables, 'revision'>
const columnOf = (engine: SqlEngine, table: TableName, key: string): AnySQLiteColumn =>
  (engine.tables[table] as unknown as Record<string, AnySQLiteColumn>)[key] as AnySQLiteColumn

/** `INSERT INTO t (…) VALUES (…)`: every key bound by its own name, `revision` drawn by the engine. */
export function insertInto(
  engine: SqlEngine,
  table: TableName,
  keys: readonly string[],
  revision: SQL = engine.revision,
): SQL {
  const columns = keys.map((key) => columnOf(engine, table, key))
  const values = keys.map((key, i) => (key === 'revision' ? revision : bind(columns[i] as AnySQLiteColumn, key)))
  return sql`insert into ${engine.tables[table]} (${sql.join(columns.map(bare), sql`, `)}) values (${sql.join(values, sql`, `)})`
}

/** `a = …, b = …` for the SET of an UPDATE. */
export function assignments(engine: SqlEngine, table: TableName, keys: readonly string[]): SQL {
  return sql.join(
    keys.map((key) => {
      const column = columnOf(engine, table, key)
      return sql`${bare(column)} = ${bind(column, key)}`
    }),
    sql`, `,
  )
}
