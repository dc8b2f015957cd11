import postgres from 'postgres'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import {
  openMigrationTarget,
  type PostgresqlMigrationClient,
  postgresqlMigrationTarget,
} from '../../src/backends/postgresql/migration.js'
import { ConfigurationError, ConnectionError, TimeoutError } from '../../src/errors.js'
import * as bundle from '../../src/migrate/bundled/postgresql.js'
import { createMigrator } from '../../src/migrate/migrator.js'
import { postgresql } from './support/databases.js'
import { fresh } from './support/fresh.js'

const engine = postgresql(inject('servers').POSTGRESQL_URL)

function connect(url: string, options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {}, ...options })
  onTestFinished(() => sql.end({ timeout: 1 }))
  return sql
}

const migratorOf = (sql: PostgresqlMigrationClient, lockTimeout = 60_000) =>
  createMigrator({ target: postgresqlMigrationTarget(sql, { lockTimeout }), bundle })

describe('migrations on PostgreSQL', () => {
  test('a connection that breaks between two statements leaves nothing half done', async () => {
    const database = await fresh(engine)
    const sql = connect(database.url)
    let statements = 0
    const breaking: PostgresqlMigrationClient = {
      unsafe: (text) => sql.unsafe(text),
      begin: (work) =>
        sql.begin((transaction) =>
          work({
            unsafe: async (text) => {
              const rows = await transaction.unsafe(text)
              if (++statements === 9) {
                await database.exec(
                  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
                )
                await new Promise((r) => setTimeout(r, 50))
              }
              return rows
            },
          }),
        ),
    }
    await expect(migratorOf(breaking).up()).rejects.toThrow()
    expect(statements).toBeGreaterThanOrEqual(9)
    expect([...(await database.target.catalog()).keys()]).toEqual([])
    expect((await migratorOf(sql).up()).applied).toHaveLength(database.bundle.migrations.length)
  })

  test('statements that land outside their transaction change nothing', async () => {
    const database = await fresh(engine)
    const sql = connect(database.url)
    // What postgres.js does with the statement that follows a break.
    const outside: PostgresqlMigrationClient = { unsafe: (text) => sql.unsafe(text), begin: (work) => work(sql) }
    await expect(migratorOf(outside).up()).rejects.toMatchObject({ migration: '0000_initial' })
    expect([...(await database.target.catalog()).keys()]).toEqual([])
    expect((await migratorOf(sql).up()).applied).toHaveLength(database.bundle.migrations.length)
  })

  test('the tables are made in "public", wherever the search path points', async () => {
    const database = await fresh(engine)
    await database.exec('CREATE SCHEMA elsewhere')
    const sql = connect(database.url, { connection: { search_path: 'elsewhere' } })
    await migratorOf(sql).up()
    expect(await migratorOf(sql).verify()).toMatchObject({ ok: true })
    expect(await database.all("SELECT 1 FROM pg_tables WHERE schemaname = 'elsewhere'")).toEqual([])
    expect(await sql`SHOW search_path`).toEqual([{ search_path: 'elsewhere' }])
  })

  test('a lock that stays taken is a timeout', async () => {
    const database = await fresh(engine)
    const sql = connect(database.url)
    await migratorOf(sql).up()
    await database.exec('DELETE FROM bruno_migrations')
    const holder = connect(database.url)
    await holder.unsafe('SELECT pg_advisory_lock(7093861480237329765)')
    await expect(migratorOf(sql, 100).up()).rejects.toBeInstanceOf(TimeoutError)
  })

  test('a role that may not create tables is told so', async () => {
    const database = await fresh(engine)
    const role = `weak_${Math.random().toString(36).slice(2)}`
    await database.exec(`CREATE ROLE ${role}; REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
    onTestFinished(async () => {
      const admin = connect(inject('servers').POSTGRESQL_URL)
      await admin.unsafe(`DROP ROLE ${role}`)
    })
    const sql = connect(database.url)
    await sql.unsafe(`SET ROLE ${role}`)
    await expect(migratorOf(sql).up()).rejects.toMatchObject({
      code: 'migration',
      message: expect.stringContaining('the database role may not do it (42501)'),
    })
    await sql.unsafe('RESET ROLE')
  })

  test('a server, a database or a URL that is wrong is told without the password', async () => {
    const url = new URL(inject('servers').POSTGRESQL_URL)
    const attempts = ['postgres://ada:sesame@127.0.0.1:1/x', 'postgres://[sesame']
    url.pathname = '/sesame_absent'
    for (const wrong of [...attempts, url.href]) {
      const error: unknown = await openMigrationTarget(wrong)
        .then(async ({ target, close }) => target.journal().finally(close))
        .catch((e: unknown) => e)
      expect([ConfigurationError, ConnectionError].some((c) => error instanceof c)).toBe(true)
      expect(String(error)).not.toContain('sesame')
    }
  })
})
