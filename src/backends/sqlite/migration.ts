import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import { ConfigurationError, MigrationError, StorageError } from '../../errors.js'
import { type BundledMigration, journalTable } from '../../migrate/bundle.js'
import type { JournalEntry, MigrationTarget, OpenTarget } from '../../migrate/target.js'
import { sqliteCatalog } from './catalog.js'
import { isBusy, translateError } from './errors.js'

export interface SqliteMigrationOptions {
  /** How long to wait for other processes, in milliseconds. Default 60,000. */
  readonly lockTimeout?: number
}

/** What one attempt may block the event loop for, in milliseconds. */
const attempt = 20
const longestPause = 50

/**
 * Opens a database file for migrations alone. With `write` it is made where it does not exist; without, it stays as it
 * is, and a file that does not exist reads as an empty database.
 */
export async function openMigrationTarget(path: string, { write }: { readonly write: boolean }): Promise<OpenTarget> {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new ConfigurationError(`the folder ${folder} does not exist: make it first`)
  const exists = existsSync(path)
  if (exists && !statSync(path).isFile()) throw new ConfigurationError(`${path} is a folder: name a file in it`)
  const { default: Sqlite } = await import('better-sqlite3')
  const client = exists || write ? new Sqlite(path, { readonly: !write }) : new Sqlite(':memory:')
  try {
    // The first read tells what is no SQLite file at all.
    client.pragma('schema_version')
  } catch (cause) {
    client.close()
    throw isBusy(cause)
      ? translateError(cause)
      : new StorageError(`${path}: ${translateError(cause).message}`, { cause })
  }
  return { target: sqliteMigrationTarget(client), close: async () => void client.close() }
}

/** Migrations on an open better-sqlite3 connection, which nothing else uses meanwhile. */
export function sqliteMigrationTarget(
  client: Database.Database,
  { lockTimeout = 60_000 }: SqliteMigrationOptions = {},
): MigrationTarget {
  return {
    journal: () => patiently(client, lockTimeout, () => readJournal(client)),
    apply: (migration, decide) => apply(client, migration, decide, lockTimeout),
    catalog: () => patiently(client, lockTimeout, () => sqliteCatalog(client)),
    expected: async (migrations) => {
      const { default: Sqlite } = await import('better-sqlite3')
      const fresh = new Sqlite(':memory:')
      try {
        for (const m of migrations) for (const statement of m.statements) fresh.exec(statement)
        return sqliteCatalog(fresh)
      } finally {
        fresh.close()
      }
    },
  }
}

function readJournal(client: Database.Database): JournalEntry[] {
  const exists = client.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(journalTable)
  if (!exists) return []
  // A connection with safe integers answers BigInt.
  return client
    .prepare<[], { hash: string; at: number | bigint }>(
      `SELECT hash, created_at AS at FROM ${journalTable} ORDER BY created_at`,
    )
    .all()
    .map(({ hash, at }) => ({ hash, createdAt: Number(at) }))
}

async function apply(
  client: Database.Database,
  migration: BundledMigration,
  decide: (journal: readonly JournalEntry[]) => boolean,
  lockTimeout: number,
): Promise<boolean> {
  if (client.inTransaction) throw new MigrationError('migrations cannot run inside a transaction', migration.tag)
  const enforced = client.pragma('foreign_keys', { simple: true })
  // Inside a transaction this pragma does nothing, and dropping a table would then delete its children's rows.
  client.pragma('foreign_keys = OFF')
  try {
    await patiently(client, lockTimeout, () => client.exec('BEGIN IMMEDIATE'))
    // From here to the end nothing is awaited: no other use of the connection can come between.
    return inside(client, migration, decide)
  } finally {
    if (client.inTransaction) client.exec('ROLLBACK')
    client.pragma(`foreign_keys = ${enforced ? 'ON' : 'OFF'}`)
  }
}

function inside(
  client: Database.Database,
  migration: BundledMigration,
  decide: (journal: readonly JournalEntry[]) => boolean,
): boolean {
  // Drizzle's own definition: `SERIAL` is no rowid in SQLite, so that `id` stays null, as with drizzle-kit.
  run(
    client,
    migration,
    `CREATE TABLE IF NOT EXISTS ${journalTable} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
  )
  if (!decide(readJournal(client))) return false
  for (const [i, statement] of migration.statements.entries()) run(client, migration, statement, i + 1)
  refuseOrphans(client, migration)
  try {
    client.prepare(`INSERT INTO ${journalTable} (hash, created_at) VALUES (?, ?)`).run(migration.hash, migration.when)
    client.exec('COMMIT')
  } catch (error) {
    throw failure(error, migration)
  }
  return true
}

function run(client: Database.Database, migration: BundledMigration, statement: string, number = 0): void {
  try {
    client.exec(statement)
  } catch (error) {
    throw failure(error, migration, number)
  }
}

function refuseOrphans(client: Database.Database, migration: BundledMigration): void {
  const names = orphaned(client, migration).join(', ')
  if (names === '') return
  throw new MigrationError(
    `migration ${migration.tag} is taken back: rows of ${names} would be without their parent (see PRAGMA foreign_key_check)`,
    migration.tag,
  )
}

/** Tables of ours with rows without a parent, and the application's with rows that lost theirs among ours. */
function orphaned(client: Database.Database, migration: BundledMigration): string[] {
  try {
    return client
      .prepare<[], { name: string }>(
        `SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f
         WHERE m.type = 'table' AND (m.name GLOB 'bruno_*' OR f."table" GLOB 'bruno_*')`,
      )
      .all()
      .map((table) => table.name)
      .filter((name) =>
        client
          .prepare<[string], { parent: string }>('SELECT DISTINCT parent FROM pragma_foreign_key_check(?)')
          .all(name)
          .some(({ parent }) => name.startsWith('bruno_') || parent.startsWith('bruno_')),
      )
  } catch (error) {
    // A rebuild that forgets the key that others reference makes the check itself fail.
    throw failure(error, migration)
  }
}

/** Tries until the lock is free, in short attempts: a long busy timeout would block the whole event loop. */
async function patiently<T>(client: Database.Database, lockTimeout: number, work: () => T): Promise<T> {
  const before = client.pragma('busy_timeout', { simple: true })
  for (let waited = 0; ; ) {
    try {
      client.pragma(`busy_timeout = ${attempt}`)
      return work()
    } catch (error) {
      if (!isBusy(error) || waited >= lockTimeout) throw translateError(error)
    } finally {
      client.pragma(`busy_timeout = ${before}`)
    }
    const pause = 5 + Math.random() * longestPause
    waited += attempt + pause
    await sleep(pause)
  }
}

/** What the machine or another process did; anything else is the migration's own failure. */
const environment = /^SQLITE_(BUSY|LOCKED|READONLY|FULL|NOTADB|CORRUPT|CANTOPEN|NOMEM|IOERR|PERM|AUTH)/

/** By the engine's code; its message may quote what is stored, so that only the code is told. */
function failure(cause: unknown, migration: BundledMigration, number = 0): Error {
  const code = String((cause as { code?: unknown } | null)?.code ?? 'no code')
  if (environment.test(code)) return translateError(cause)
  const at = number > 0 ? `statement ${number} failed` : 'it failed'
  return new MigrationError(`migration ${migration.tag} is taken back: ${at} (${code})`, migration.tag, { cause })
}
