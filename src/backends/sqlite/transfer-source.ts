import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type Database from 'better-sqlite3'
import type { SqliteOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'
import { openSqlSource } from '../sql/transfer-open.js'
import type { SqlSource, TableReader } from '../sql/transfer-source.js'
import { translateError } from './errors.js'
import { sqliteMigrationTarget } from './migration.js'
import { isPrivate, openReader } from './open.js'

export class SqliteReader implements TableReader {
  readonly bySeq = true
  readonly #statements = new Map<string, Database.Statement<unknown[], unknown>>()
  constructor(readonly client: Database.Database) {}

  placeholder = (): string => '?'

  async columns(table: string): Promise<ReadonlySet<string>> {
    const rows = await this.rows('select name from pragma_table_info(?)', [table])
    return new Set(rows.map(([name]) => String(name)))
  }

  async rows(text: string, values: readonly unknown[]): Promise<unknown[][]> {
    try {
      let statement = this.#statements.get(text)
      if (!statement) {
        statement = this.client.prepare<unknown[], unknown>(text).raw(true)
        this.#statements.set(text, statement)
      }
      return statement.all(...values) as unknown[][]
    } catch (error) {
      throw translateError(error)
    }
  }

  async bytes(table: string, column: string, key: Readonly<Record<string, unknown>>): Promise<Buffer | null> {
    const where = Object.keys(key).map((name) => `"${name}" = ?`)
    const text = `select cast("${column}" as blob) from ${table} where ${where.join(' and ')}`
    const [row] = await this.rows(text, Object.values(key))
    return Buffer.isBuffer(row?.[0]) ? row[0] : null
  }

  async snapshot<T>(work: () => Promise<T>): Promise<T> {
    this.client.exec('begin')
    try {
      return await work()
    } finally {
      this.client.exec('rollback')
    }
  }

  async revision(): Promise<number> {
    return Number((await this.rows('select value from bruno_revision', []))[0]?.[0] ?? 0)
  }

  async close(): Promise<void> {
    this.client.close()
  }
}

/** Reads a file as it is: of this schema or an older one, while others use it. */
export async function sqliteTransferSource({
  databasePath,
  busyTimeout = 5000,
}: Pick<SqliteOptions, 'databasePath' | 'busyTimeout'>): Promise<SqlSource> {
  if (isPrivate(databasePath)) throw new ConfigurationError('a database in memory cannot be read by another connection')
  if (!existsSync(databasePath)) throw new ConfigurationError(`there is no memory at ${databasePath}`)
  const client = await openReader({ databasePath, busyTimeout })
  try {
    const { migrations: known } = await import('../../migrate/bundled/sqlite.js')
    const side = { backend: 'sqlite', place: resolve(databasePath) }
    return await openSqlSource({ side, reader: new SqliteReader(client), target: sqliteMigrationTarget(client), known })
  } catch (error) {
    client.close()
    throw translateError(error)
  }
}
