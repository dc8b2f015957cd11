import type postgres from 'postgres'
import type { PostgresqlOptions } from '../../contract/options.js'
import { openSqlSource } from '../sql/transfer-open.js'
import type { SqlSource, TableReader } from '../sql/transfer-source.js'
import { END, type Sql } from './connect.js'
import { translateError } from './errors.js'
import { type PostgresqlMigrationClient, postgresqlMigrationTarget } from './migration.js'
import { unlimited } from './open.js'
import { databasePlace } from './place.js'

class PostgresqlReader implements TableReader {
  readonly bySeq = false
  constructor(readonly sql: Sql) {}

  placeholder = (n: number): string => `$${n}`

  async columns(table: string): Promise<ReadonlySet<string>> {
    const text = `select attname from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`
    return new Set((await this.rows(text, [table], ['text'])).map(([name]) => String(name)))
  }

  async rows(text: string, values: readonly unknown[], kinds: readonly string[]): Promise<unknown[][]> {
    try {
      const query = this.sql.unsafe(text, values as postgres.ParameterOrJSON<never>[], { prepare: true })
      const rows = (await query.values()) as unknown as unknown[][]
      const instants = kinds.flatMap((kind, i) => (kind === 'instant' ? [i] : []))
      for (const row of rows) for (const i of instants) if (row[i] instanceof Date) row[i] = (row[i] as Date).getTime()
      return rows
    } catch (error) {
      throw translateError(error)
    }
  }

  async snapshot<T>(work: () => Promise<T>): Promise<T> {
    await this.rows('begin isolation level repeatable read read only', [], [])
    try {
      return await work()
    } finally {
      await this.rows('rollback', [], []).catch(() => undefined)
    }
  }

  async revision(): Promise<number> {
    return Number((await this.rows('select last_value from bruno_revision', [], ['integer']))[0]?.[0] ?? 0)
  }

  async close(): Promise<void> {
    await this.sql.end(END)
  }
}

/** Reads a database as it is: of this schema or an older one, while others use it. */
export async function postgresqlTransferSource(options: PostgresqlOptions): Promise<SqlSource> {
  const sql = await unlimited(options)
  try {
    // A role that policies bind would see nothing of all that is there: it gets an error instead.
    await sql.unsafe('set row_security = off')
    const { migrations: known } = await import('../../migrate/bundled/postgresql.js')
    const target = postgresqlMigrationTarget(sql as unknown as PostgresqlMigrationClient)
    const side = { backend: 'postgresql', place: databasePlace(options.connectionString) }
    return await openSqlSource({ side, reader: new PostgresqlReader(sql), target, known })
  } catch (error) {
    await sql.end(END)
    throw translateError(error)
  }
}
