import {
  BrunoMemoryError,
  ConfigurationError,
  ConnectionError,
  MigrationError,
  OverloadedError,
  StorageError,
  TimeoutError,
} from '../../errors.js'
import { type BundledMigration, journalTable } from '../../migrate/bundle.js'
import type { Catalog } from '../../migrate/catalog.js'
import type { JournalEntry, MigrationTarget, OpenTarget } from '../../migrate/target.js'
import { postgresqlCatalog } from './catalog.js'

interface Queryable {
  unsafe(text: string): PromiseLike<unknown>
}

/** The part of a postgres.js client that migrations use. One connection is enough, and safest. */
export interface PostgresqlMigrationClient extends Queryable {
  begin(work: (tx: Queryable) => Promise<void>): PromiseLike<unknown>
}

export interface PostgresqlMigrationOptions {
  /** How long to wait for other starters and for locks on tables, in milliseconds. Default 60,000. */
  readonly lockTimeout?: number
}

/** Any constant that others are unlikely to use: `bruno_me` as a 64-bit number. Locks are per database. */
const lockKey = '7093861480237329765'
const schema = 'public'
const journal = `"${schema}"."${journalTable}"`

/** Opens one connection for migrations alone. The URL is never repeated in an error: it may hold a password. */
export async function openMigrationTarget(url: string): Promise<OpenTarget> {
  const { default: postgres } = await import('postgres').catch((cause: unknown) => {
    throw new ConfigurationError('PostgreSQL needs its client: npm install postgres', { cause })
  })
  try {
    // The second run meets its journal table, and "already exists, skipping" is no news.
    const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 })
    return { target: postgresqlMigrationTarget(sql), close: () => sql.end({ timeout: 5 }) }
  } catch {
    throw new ConfigurationError('the PostgreSQL URL cannot be read: write postgres://user:password@host:5432/database')
  }
}

/** Migrations on a PostgreSQL database. */
export function postgresqlMigrationTarget(
  sql: PostgresqlMigrationClient,
  { lockTimeout = 60_000 }: PostgresqlMigrationOptions = {},
): MigrationTarget {
  return {
    journal: () => translated(() => readJournal(sql)),
    apply: (migration, decide) => apply(sql, migration, decide, lockTimeout),
    catalog: () => translated(() => takenBack(sql, (tx) => catalogOf(tx, schema))),
    expected: (migrations) => translated(() => expected(sql, migrations)),
  }
}

async function readJournal(sql: Queryable): Promise<JournalEntry[]> {
  try {
    const rows = await sql.unsafe(`SELECT hash, created_at FROM ${journal} ORDER BY created_at`)
    // A bigint comes as text.
    return (rows as { hash: string; created_at: string }[]).map((r) => ({
      hash: r.hash,
      createdAt: Number(r.created_at),
    }))
  } catch (error) {
    if (codeOf(error) === undefinedTable) return []
    throw error
  }
}

async function apply(
  sql: PostgresqlMigrationClient,
  migration: BundledMigration,
  decide: (journal: readonly JournalEntry[]) => boolean,
  lockTimeout: number,
): Promise<boolean> {
  let applied = false
  let statement = 0
  try {
    await transaction(sql, async (tx) => {
      const guard = await lock(tx, migration, lockTimeout)
      applied = decide(await readJournal(tx))
      if (!applied) return
      for (const text of migration.statements) {
        statement++
        await tx.unsafe(guard + text)
      }
      statement = 0
      const { hash, when } = migration
      await tx.unsafe(`${guard}INSERT INTO ${journal} (hash, created_at) VALUES (${literal(hash)}, ${when})`)
    })
  } catch (error) {
    throw failure(error, migration, statement)
  }
  return applied
}

/**
 * When the connection breaks between two statements, postgres.js rejects `begin`, but runs the callback's next statement,
 * and the ROLLBACK after it, on a new connection: inside whatever transaction is there by then. So the callback goes no
 * further: neither a statement nor its end reaches postgres.js again.
 */
async function transaction(sql: PostgresqlMigrationClient, work: (tx: Queryable) => Promise<void>): Promise<void> {
  let open = true
  try {
    await sql.begin((tx) => work({ unsafe: async (text) => (open ? tx.unsafe(text) : new Promise<never>(() => {})) }))
  } finally {
    open = false
  }
}

/**
 * Takes the lock, and answers what every statement must begin with: sent in one message with it, a statement that lands
 * on another connection before the break is noticed changes nothing.
 */
async function lock(tx: Queryable, { tag }: BundledMigration, lockTimeout: number): Promise<string> {
  // The foreign keys name the schema "public", so that the tables have to be made there too.
  const [row] = (await tx.unsafe(`
    SELECT set_config('bruno_memory.migration', ${literal(tag)} || ' ' || pg_backend_pid(), true) AS token,
      set_config('lock_timeout', '${Math.ceil(lockTimeout)}', true),
      set_config('search_path', '${schema}, ' || current_setting('search_path'), true)`)) as { token: string }[]
  await tx.unsafe(`SELECT pg_advisory_xact_lock(${lockKey})`)
  // Inside the lock: two CREATE TABLE IF NOT EXISTS at once fail on a duplicate type.
  await tx.unsafe(
    `CREATE TABLE IF NOT EXISTS ${journal} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)`,
  )
  const here = `current_setting('bruno_memory.migration', true) = ${literal(row?.token ?? '')}`
  return `SELECT 1 / (CASE WHEN ${here} THEN 1 ELSE 0 END);\n`
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The migrations built in a schema of their own, on this very server and version, and taken back. */
function expected(sql: PostgresqlMigrationClient, migrations: readonly BundledMigration[]): Promise<Catalog> {
  // Two at once wait for each other, and none leaves it behind.
  const scratch = 'bruno_migrations_expected'
  return takenBack(sql, async (tx) => {
    await tx.unsafe(`CREATE SCHEMA ${scratch}`)
    await tx.unsafe(`SELECT set_config('search_path', '${scratch}, ' || current_setting('search_path'), true)`)
    for (const { statements } of migrations) {
      for (const s of statements) await tx.unsafe(s.replaceAll(`"${schema}".`, `${scratch}.`))
    }
    return catalogOf(tx, scratch)
  })
}

async function catalogOf(tx: Queryable, name: string): Promise<Catalog> {
  await tx.unsafe(`SELECT set_config('search_path', '${name}', true)`)
  return postgresqlCatalog(tx, name)
}

/** Runs the work in a transaction that is always rolled back. */
async function takenBack<T>(sql: PostgresqlMigrationClient, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const done = new Error('taken back')
  let result: { value: T } | undefined
  try {
    await transaction(sql, async (tx) => {
      result = { value: await work(tx) }
      throw done
    })
  } catch (error) {
    if (error !== done || !result) throw error
  }
  return (result as { value: T }).value
}

const undefinedTable = '42P01'
const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '')

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw failure(error)
  }
}

// SQLSTATEs of class 08, 53 and 57P, and what Node's sockets and postgres.js answer when the line is down.
const unreachable = /^(08|53|57P|CONNECT|E[A-Z]+$)/
const sqlState = /^[0-9A-Z]{5}$/

/** By the engine's code; its message may quote what is stored, so that only the code is told. */
function failure(cause: unknown, migration?: BundledMigration, statement = 0): unknown {
  const code = codeOf(cause)
  if (cause instanceof BrunoMemoryError) return cause
  const during = migration ? `migration ${migration.tag} is taken back: ` : ''
  if (code === '53300') return new OverloadedError(`${during}PostgreSQL has too many connections`, { cause })
  if (unreachable.test(code)) return new ConnectionError(`${during}PostgreSQL cannot be reached (${code})`, { cause })
  if (!sqlState.test(code)) return cause
  if (code.startsWith('28')) return refusal('PostgreSQL refuses the user or the password', cause)
  if (code === '3D000') return refusal('the database named in the URL does not exist: create it first', cause)
  if (code === '55P03') return new TimeoutError(`${during}another session keeps its lock`, { cause })
  if (code === '25006') return new StorageError(`${during}the database is read-only`, { cause })
  if (!migration) return new StorageError(`the schema in PostgreSQL cannot be read (${code})`, { cause })
  const at =
    code === '42501' ? 'the database role may not do it' : statement > 0 ? `statement ${statement} failed` : 'it failed'
  // Class 40: a deadlock with the application's own work.
  return new MigrationError(`${during}${at} (${code})`, migration.tag, { cause, retryable: code.startsWith('40') })
}

const refusal = (message: string, cause: unknown) => new ConnectionError(message, { cause, retryable: false })
