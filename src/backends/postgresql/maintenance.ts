import { ConflictError, ConnectionError, StorageError } from '../../errors.js'
import { createMigrator } from '../../migrate/migrator.js'
import type { SqlEngine, SqlRunner } from '../sql/engine.js'
import { plainAccess } from './access.js'
import { PostgresqlClient } from './client.js'
import { type ConnectionSettings, connector, type Sql } from './connect.js'
import { postgresqlEngine } from './engine.js'
import { translateError } from './errors.js'
import type { Channel } from './lane.js'
import { type PostgresqlMigrationClient, postgresqlMigrationTarget } from './migration.js'
import type { PostgresqlSession } from './session.js'
import { postgresqlVectors } from './vectors.js'

export type Ask = (text: string) => Promise<readonly (readonly unknown[])[]>

/** Milliseconds: counting and deleting take their time in a large table. */
const LONGEST_STATEMENT = 3_600_000
const CONNECT_TIMEOUT = 10_000

const settingsFor = (connectionString: string, changes: Partial<ConnectionSettings> = {}): ConnectionSettings => ({
  connectionString,
  applicationName: 'bruno-memory',
  ssl: undefined,
  prepare: true,
  connectTimeout: CONNECT_TIMEOUT,
  statementTimeout: LONGEST_STATEMENT,
  idleInTransactionTimeout: 60_000,
  durability: 'power',
  readWrite: true,
  ...changes,
})

/** What a look at a database works with: one connection, with the settings that the server has for everybody. */
export interface Looking {
  readonly ask: Ask
  readonly client: PostgresqlMigrationClient
}

const asking =
  (query: Ask): Ask =>
  async (text) => {
    try {
      return await query(text)
    } catch (error) {
      throw translateError(error)
    }
  }

async function connected<T>(sql: Sql, work: (looking: Looking) => Promise<T>): Promise<T> {
  try {
    const query: Ask = async (text) => (await sql.unsafe(text).values()) as unknown as readonly (readonly unknown[])[]
    return await work({ ask: asking(query), client: sql as unknown as PostgresqlMigrationClient })
  } catch (error) {
    throw translateError(error)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Looks at a database on one connection. Errors never name the URL, which may hold a password. */
export async function withConnection<T>(url: string, work: (looking: Looking) => Promise<T>): Promise<T> {
  const connect = await connector(settingsFor(url, { prepare: false }))
  return connected(connect(1), work)
}

/** What work on a whole store is done with: everything goes over one connection, which holds the lock. */
export interface Maintenance {
  readonly engine: SqlEngine
  readonly runner: SqlRunner
  readonly ask: Ask
}

/** Two numbers that others are unlikely to use: `brun` and `main` as 32-bit numbers. Locks are per database. */
const [FIRST, SECOND] = [0x6272_756e, 0x6d61_696e]
const LOCK = `select pg_try_advisory_lock(${FIRST}, ${SECOND})`
const UNLOCK = `select pg_advisory_unlock(${FIRST}, ${SECOND})`
const HELD = `select exists (select 1 from pg_locks where locktype = 'advisory' and granted and pid = pg_backend_pid()
  and database = (select oid from pg_database where datname = current_database())
  and classid = ${FIRST} and objid = ${SECOND} and objsubid = 2)`

async function checkHeld(channel: Channel): Promise<void> {
  const [row] = await asking((text) => channel.query(text, [], true))(HELD)
  if (row?.[0] !== true)
    throw new ConnectionError(
      'the connection to PostgreSQL was lost, and with it the lock of this work: run it again',
      {
        retryable: false,
      },
    )
}

/** A new connection in place of a lost one has no lock: another process may have begun the same work, or ended it. */
const guarded = ({ read, write }: SqlRunner): SqlRunner => ({
  read,
  write: (work) =>
    write(async (session) => {
      await checkHeld((session as PostgresqlSession).channel)
      return work(session)
    }),
})

async function checkStore({ ask, client }: Looking): Promise<void> {
  const bundle = await import('../../migrate/bundled/postgresql.js')
  await createMigrator({ target: postgresqlMigrationTarget(client), bundle }).check()
  const [row] = await ask("select row_security_active('bruno_messages')")
  // Rows that it cannot see would be left as they are, and the work called done.
  if (row?.[0] === true)
    throw new StorageError(
      'row-level security hides records from this role: give the URL of one that sees all of them (BYPASSRLS)',
    )
}

/** Does work on a whole store, for which there is a lock: two such works at once would undo each other. */
export async function maintain<T>(url: string, work: (maintenance: Maintenance) => Promise<T>): Promise<T> {
  const settings = settingsFor(url)
  const connect = await connector(settings)
  await connected(connect(1), checkStore)
  const { statementTimeout } = settings
  const client = new PostgresqlClient(
    { statements: 0, transactions: 1, acquireTimeout: 10_000, statementTimeout },
    connect,
  )
  try {
    const ask = asking((text) => client.channel('read').query(text, [], false))
    const [row] = await ask(LOCK)
    if (row?.[0] !== true)
      throw new ConflictError('another process indexes or embeds this memory already: wait until it has ended')
    const engine = postgresqlEngine({ vectors: postgresqlVectors, secured: false })
    const runner = guarded(plainAccess({ client, engine, maintenance: null, replicas: null }).upkeep)
    const result = await work({ engine, runner, ask })
    await ask(UNLOCK)
    return result
  } finally {
    await client.close()
  }
}
