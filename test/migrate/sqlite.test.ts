import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openMigrationTarget, sqliteMigrationTarget } from '../../src/backends/sqlite/migration.js'
import { ConfigurationError, StorageError, TimeoutError } from '../../src/errors.js'
import * as bundle from '../../src/migrate/bundled/sqlite.js'
import { createMigrator } from '../../src/migrate/migrator.js'

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bruno-memory-migrate-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

function open(path: string, options?: Database.Options): Database.Database {
  const client = new Database(path, options)
  onTestFinished(() => void client.close())
  return client
}

const migratorOf = (client: Database.Database, lockTimeout?: number) =>
  createMigrator({ target: sqliteMigrationTarget(client, lockTimeout === undefined ? {} : { lockTimeout }), bundle })

/** The name of a migration that comes after those of this version. */
const next = (name: string): string => `${String(bundle.migrations.length).padStart(4, '0')}_${name}`

describe('migrations on SQLite', () => {
  test.each([
    ['ON', 1],
    ['OFF', 0],
  ])('foreign keys are %s again afterwards, and the busy timeout is what it was', async (setting, value) => {
    const client = open(':memory:')
    client.pragma(`foreign_keys = ${setting}`)
    client.pragma('busy_timeout = 1234')
    await migratorOf(client).up()
    expect(client.pragma('foreign_keys', { simple: true })).toBe(value)
    expect(client.pragma('busy_timeout', { simple: true })).toBe(1234)
  })

  test('a rebuild that leaves rows without their parent is taken back', async () => {
    const client = open(':memory:')
    await migratorOf(client).up()
    client.exec(`INSERT INTO bruno_users VALUES ('t', 'u', NULL, '{}', '{}', '{}', NULL, 1, 1, 1, 1);
      INSERT INTO bruno_sessions VALUES ('t', 's', 'u', NULL, '{}', '{}', 1, 1, NULL, NULL, 1, 1, 1, 1)`)
    const last = bundle.migrations.at(-1)?.when ?? 0
    const loses = { tag: next('loses'), when: last + 1, hash: 'x', statements: ['DELETE FROM bruno_users'] }
    const migrator = createMigrator({
      target: sqliteMigrationTarget(client),
      bundle: { migrations: [...bundle.migrations, loses] },
    })
    await expect(migrator.up()).rejects.toMatchObject({
      migration: next('loses'),
      message: expect.stringContaining('rows of bruno_sessions would be without their parent'),
    })
    expect(client.prepare('SELECT count(*) AS n FROM bruno_users').get()).toEqual({ n: 1 })
    expect(client.pragma('foreign_keys', { simple: true })).toBe(1)
  })

  test('a rebuild that forgets the key that others reference is taken back', async () => {
    const client = open(':memory:')
    await migratorOf(client).up()
    const forgets = {
      tag: next('forgets'),
      when: (bundle.migrations.at(-1)?.when ?? 0) + 1,
      hash: 'x',
      statements: [
        'CREATE TABLE saved AS SELECT * FROM bruno_users',
        'DROP TABLE bruno_users',
        'ALTER TABLE saved RENAME TO bruno_users',
      ],
    }
    const migrator = createMigrator({
      target: sqliteMigrationTarget(client),
      bundle: { migrations: [...bundle.migrations, forgets] },
    })
    await expect(migrator.up()).rejects.toMatchObject({ code: 'migration', migration: next('forgets') })
    expect((await migratorOf(client).verify()).ok).toBe(true)
  })

  test("orphans among the application's own tables are not our business", async () => {
    const client = open(':memory:')
    client.pragma('foreign_keys = OFF')
    client.exec(
      'CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (a integer REFERENCES a); INSERT INTO b VALUES (7)',
    )
    await migratorOf(client).up()
    expect((await migratorOf(client).verify()).ok).toBe(true)
  })

  test('inside a transaction it is refused', async () => {
    const client = open(':memory:')
    client.exec('BEGIN')
    await expect(migratorOf(client).up()).rejects.toThrow('migrations cannot run inside a transaction')
    expect(client.inTransaction).toBe(true)
  })

  test('a connection with safe integers reads the journal too', async () => {
    const client = open(':memory:').defaultSafeIntegers(true)
    await migratorOf(client).up()
    expect(await migratorOf(client).verify()).toMatchObject({ ok: true })
  })

  test('a locked file is waited for without blocking the event loop', async () => {
    const path = join(folder(), 'memory.db')
    const other = open(path)
    other.exec('BEGIN EXCLUSIVE')
    const client = open(path)
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    const migrating = migratorOf(client).up()
    await sleep(400)
    // Measured while waiting only: the migrations themselves are work, not waiting.
    clearInterval(timer)
    other.exec('ROLLBACK')
    expect((await migrating).applied).toHaveLength(bundle.migrations.length)
    expect(longest).toBeLessThan(150)
  })

  test('a file that stays locked is a timeout', async () => {
    const path = join(folder(), 'memory.db')
    const other = open(path)
    other.exec('BEGIN EXCLUSIVE')
    const error = await migratorOf(open(path), 100)
      .up()
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ retryable: true })
  })

  test('a full disk takes the migration back', async () => {
    const client = open(join(folder(), 'memory.db'))
    client.pragma('max_page_count = 10')
    const error = await migratorOf(client)
      .up()
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(StorageError)
    expect((error as Error).message).toContain('the disk is full')
    client.pragma('max_page_count = 100000')
    expect((await migratorOf(client).up()).applied).toHaveLength(bundle.migrations.length)
  })

  test('a read-only file that is current opens, one that is not is refused as read-only', async () => {
    const path = join(folder(), 'memory.db')
    await migratorOf(open(path)).up()
    expect(await migratorOf(open(path, { readonly: true })).up()).toEqual({ applied: [], elsewhere: [] })
    const old = join(folder(), 'old.db')
    open(old).exec('CREATE TABLE users (id integer)')
    const error = await migratorOf(open(old, { readonly: true }))
      .up()
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(StorageError)
    expect((error as Error).message).toContain('SQLITE_READONLY')
  })

  test('opening a folder, a file of another kind or a file in no folder says which', async () => {
    const here = folder()
    const text = join(here, 'notes.txt')
    writeFileSync(text, 'no database, but long enough to be taken for one: '.repeat(10))
    await expect(openMigrationTarget(here, { write: true })).rejects.toThrow(ConfigurationError)
    await expect(openMigrationTarget(join(here, 'no', 'memory.db'), { write: true })).rejects.toThrow(
      ConfigurationError,
    )
    const error = await openMigrationTarget(text, { write: true }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(StorageError)
    expect((error as Error).message).toContain(`${text}: the file is not a SQLite database`)
  })

  test('a current file costs less than 2 ms', async () => {
    const path = join(folder(), 'memory.db')
    await migratorOf(open(path)).up()
    const times: number[] = []
    for (let round = 0; round < 21; round++) {
      const client = open(path)
      const start = performance.now()
      await migratorOf(client).up()
      times.push(performance.now() - start)
    }
    const sorted = times.sort((a, b) => a - b)
    expect(sorted[10]).toBeLessThan(2)
  })
})
