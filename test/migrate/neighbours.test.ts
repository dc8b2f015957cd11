import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { drizzle as onSqlite } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateSqlite } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as onPostgresql } from 'drizzle-orm/postgres-js'
import { migrate as migratePostgresql } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { TestDatabase } from './support/databases.js'
import { engines, fresh, migratorOf } from './support/fresh.js'
import { Workspace } from './support/workspace.js'

interface AppMigration {
  readonly when: number
  readonly statements: readonly string[]
}

const users: readonly string[] = [
  'CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL)',
  'CREATE TABLE sessions (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users ON DELETE CASCADE)',
  "INSERT INTO users VALUES (1, 'ada'), (2, 'grace')",
  'INSERT INTO sessions VALUES (10, 1), (20, 2)',
]
const emails: readonly string[] = [
  'ALTER TABLE users ADD COLUMN email text',
  "UPDATE users SET email = name || '@example.org'",
]

/** The application's own migrations, by Drizzle's own migrator, with its own journal. */
async function migrateApp(database: TestDatabase, migrations: readonly AppMigration[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-app-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'meta'))
  const entries = migrations.map(({ when, statements }, idx) => {
    writeFileSync(join(folder, `000${idx}_app.sql`), statements.join('--> statement-breakpoint'))
    return { idx, when, tag: `000${idx}_app`, breakpoints: true, version: '7' }
  })
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: database.dialect, entries }),
  )
  if (database.dialect === 'sqlite') {
    const client = new Database(database.url)
    migrateSqlite(onSqlite(client), { migrationsFolder: folder })
    client.close()
    return
  }
  const sql = postgres(database.url, { max: 1, onnotice: () => {} })
  await migratePostgresql(onPostgresql(sql), { migrationsFolder: folder })
  await sql.end()
}

const older = 1_000_000_000_000
const newer = 4_000_000_000_000

describe.each(engines())("beside an application's own migrations and tables on $dialect", (engine) => {
  const ours: Record<string, (database: TestDatabase) => Promise<void>> = {
    'our migrator': async (database) => void (await migratorOf(database).up()),
    'drizzle-kit': async (database) => {
      using made = new Workspace()
      expect(await made.kit(['migrate'], database.url)).toMatchObject({ exitCode: 0 })
    },
  }

  test.each([
    ['our migrator', 'older', older],
    ['our migrator', 'newer', newer],
    ['drizzle-kit', 'older', older],
    ['drizzle-kit', 'newer', newer],
  ] as const)(
    '%s applies all of ours after %s ones, and the next of theirs are applied too',
    async (name, _age, when) => {
      const database = await fresh(engine)
      const first = { when, statements: users }
      await migrateApp(database, [first])
      await ours[name]?.(database)
      await migrateApp(database, [first, { when: when + 1, statements: emails }])
      expect(await database.all('SELECT id, name, email FROM users ORDER BY id')).toEqual([
        { id: 1, name: 'ada', email: 'ada@example.org' },
        { id: 2, name: 'grace', email: 'grace@example.org' },
      ])
      expect(await database.all('SELECT id, user_id FROM sessions ORDER BY id')).toEqual([
        { id: 10, user_id: 1 },
        { id: 20, user_id: 2 },
      ])
      expect(await migratorOf(database).verify()).toMatchObject({ ok: true })
      expect(await database.target.journal()).toHaveLength(database.bundle.migrations.length)
    },
  )

  test('ours first, then theirs with an older time than ours', async () => {
    const database = await fresh(engine)
    await migratorOf(database).up()
    await migrateApp(database, [{ when: older, statements: users }])
    expect(await database.all('SELECT id FROM users ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }])
    expect(await migratorOf(database).verify()).toMatchObject({ ok: true })
  })
})
