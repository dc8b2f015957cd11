import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import postgres from 'postgres'
import { postgresqlMigrationTarget } from '../../../src/backends/postgresql/migration.js'
import { sqliteMigrationTarget } from '../../../src/backends/sqlite/migration.js'
import type { Bundle } from '../../../src/migrate/bundle.js'
import * as postgresqlBundle from '../../../src/migrate/bundled/postgresql.js'
import * as sqliteBundle from '../../../src/migrate/bundled/sqlite.js'
import type { MigrationTarget } from '../../../src/migrate/target.js'

export type Row = Readonly<Record<string, unknown>>
export type Dialect = 'sqlite' | 'postgresql'

/** An empty database of one test. */
export interface TestDatabase {
  readonly dialect: Dialect
  readonly url: string
  readonly target: MigrationTarget
  readonly bundle: Bundle
  /** One statement that yields rows. */
  all(sql: string): Promise<Row[]>
  /** Statements that yield none. */
  exec(sql: string): Promise<void>
  /** As if it were new. */
  empty(): Promise<void>
  close(): Promise<void>
}

export interface Engine {
  readonly dialect: Dialect
  create(): Promise<TestDatabase>
}

export const sqlite: Engine = {
  dialect: 'sqlite',
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-migrate-'))
    const path = join(folder, 'memory.db')
    const open = () => {
      const made = new Database(path)
      made.pragma('journal_mode = WAL')
      return made
    }
    let client = open()
    return {
      dialect: 'sqlite',
      url: path,
      bundle: sqliteBundle,
      get target() {
        return sqliteMigrationTarget(client)
      },
      all: async (sql) => client.prepare<[], Row>(sql).all(),
      exec: async (sql) => void client.exec(sql),
      empty: async () => {
        client.close()
        for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
        client = open()
      },
      close: async () => {
        client.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

/** Databases of their own on the server at `server`. */
export const postgresql = (server: string): Engine => ({
  dialect: 'postgresql',
  create: async () => {
    const name = `bruno_test_${randomBytes(6).toString('hex')}`
    const url = new URL(server)
    url.pathname = `/${name}`
    await administer(server, `CREATE DATABASE ${name}`)
    const sql = postgres(url.href, { max: 1, onnotice: () => {} })
    return {
      dialect: 'postgresql',
      url: url.href,
      target: postgresqlMigrationTarget(sql),
      bundle: postgresqlBundle,
      all: async (text) => [...(await sql.unsafe<Row[]>(text))],
      exec: async (text) => void (await sql.unsafe(text)),
      empty: async () => void (await sql.unsafe('DROP SCHEMA public CASCADE; CREATE SCHEMA public')),
      close: async () => {
        await sql.end({ timeout: 5 })
        await administer(server, `DROP DATABASE ${name} WITH (FORCE)`)
      },
    }
  },
})

async function administer(server: string, statement: string): Promise<void> {
  const sql = postgres(server, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end({ timeout: 5 })
  }
}
