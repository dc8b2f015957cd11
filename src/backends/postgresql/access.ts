import { BrunoMemoryError, ConnectionError } from '../../errors.js'
import type { Appends, SqlEngine, SqlRunner } from '../sql/engine.js'
import { appendOne, appendSeveral } from './append.js'
import { AppendQueue, type Sender } from './append-queue.js'
import type { PostgresqlClient } from './client.js'
import { isRolledBack } from './errors.js'
import type { Transaction } from './lane.js'
import type { Replicas } from './replicas.js'
import { tenantSetting } from './row-level-security.js'
import { PostgresqlSession, pause } from './session.js'

/** Statements of appends under way at a time: what waits for them goes together, which costs the server a fraction. */
const SENDERS = 2

/** How often a verb is run whose transaction the server took back for the sake of others. */
const ATTEMPTS = 6

/** Whether work of our own may be run again: surely nothing of it was stored. */
function mayRunAgain(error: unknown, attempt: number): boolean {
  if (error instanceof ConnectionError) return attempt === 0 && error.outcome === 'none' && error.retryable
  return error instanceof BrunoMemoryError && isRolledBack(error.cause)
}

async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt + 1 >= ATTEMPTS || !mayRunAgain(error, attempt)) throw error
    }
    await pause(attempt)
  }
}

/** How a store is reached: by its tenants, and by its own upkeep, which no tenant bounds. */
export interface Access {
  runner(tenantId: string): SqlRunner
  unit<T>(tenantId: string, work: (session: PostgresqlSession) => Promise<T>): Promise<T>
  /** For settling and sweeps. */
  readonly upkeep: SqlRunner
}

const inTransaction =
  <T>(work: (session: PostgresqlSession) => Promise<T>, engine?: SqlEngine) =>
  (transaction: Transaction): Promise<T> =>
    work(new PostgresqlSession(transaction, engine))

/** Reads and verbs of one statement by themselves, the others in a transaction. */
function plainRunner(client: PostgresqlClient, engine: SqlEngine, replicas: Replicas | null): SqlRunner {
  const reading = new PostgresqlSession(client.channel('read'))
  const writing = new PostgresqlSession(client.channel('write'))
  const sender: Sender = {
    one: (appending) => again(() => appendOne(engine, writing, appending)),
    several: (all) => again(() => appendSeveral(engine, writing, all)),
  }
  const current: SqlRunner['read'] = (work) => work(reading)
  const read: SqlRunner['read'] = (work) =>
    replicas ? replicas.read((on) => work(new PostgresqlSession(on.channel('read')))) : work(reading)
  return told(replicas, {
    read,
    current,
    write: (work) => again(() => client.transaction(inTransaction(work))),
    appends: new AppendQueue(sender, SENDERS),
  })
}

/** The replicas are told of each write, also of one that may have been stored. */
function told(replicas: Replicas | null, runner: SqlRunner & { readonly appends: Appends }): SqlRunner {
  if (!replicas) return runner
  const wrote = () => replicas.wrote()
  return {
    ...runner,
    write: (work) => runner.write(work).finally(wrote),
    appends: { submit: (...args) => runner.appends.submit(...args).finally(wrote) },
  }
}

export interface AccessParts {
  readonly client: PostgresqlClient
  readonly engine: SqlEngine
  /** Of a role that may do more. */
  readonly maintenance: PostgresqlClient | null
  readonly replicas: Replicas | null
}

export function plainAccess({ client, engine, maintenance, replicas }: AccessParts): Access {
  const runner = plainRunner(client, engine, replicas)
  const unit: Access['unit'] = (_, work) => client.transaction(inTransaction(work, engine))
  return {
    runner: () => runner,
    unit: replicas ? (...args) => unit(...args).finally(() => replicas.wrote()) : unit,
    upkeep: maintenance ? plainRunner(maintenance, engine, null) : runner,
  }
}

/** Under row-level security everything is in a transaction, whose tenant is set in the message that begins it. */
export function securedAccess({ client, engine, maintenance, replicas }: AccessParts): Access {
  const write = <T>(tenantId: string, work: (session: PostgresqlSession) => Promise<T>) =>
    again(() => client.transaction(inTransaction(work), [tenantSetting(tenantId)]))
  const appends = new AppendQueue(
    {
      one: (appending) => write(appending.tenantId, (session) => appendOne(engine, session, appending)),
      several: (all) => write(all[0]?.tenantId ?? '', (session) => appendSeveral(engine, session, all)),
    },
    SENDERS,
  )
  const runner = (settings: readonly string[]): SqlRunner => {
    const on = <T>(server: PostgresqlClient, work: (session: PostgresqlSession) => Promise<T>) =>
      again(() => server.snapshot(inTransaction(work), settings))
    return told(replicas, {
      read: (work) => (replicas ? replicas.read((server) => on(server, work)) : on(client, work)),
      current: (work) => on(client, work),
      write: (work) => again(() => client.transaction(inTransaction(work), settings)),
      appends,
    })
  }
  return {
    runner: (tenantId) => runner([tenantSetting(tenantId)]),
    unit: (tenantId, work) =>
      client.transaction(inTransaction(work, engine), [tenantSetting(tenantId)]).finally(() => replicas?.wrote()),
    // Without a role that sees all tenants it sees what belongs to none, such as the analyzer's record.
    upkeep: maintenance ? plainRunner(maintenance, engine, null) : runner([]),
  }
}
