import { setTimeout as sleep } from 'node:timers/promises'
import { BrunoMemoryError, ConflictError, ConnectionError } from '../../errors.js'
import type { Appends, SqlEngine, SqlRunner } from '../sql/engine.js'
import { appendOne, appendSeveral, findAppended } from './append.js'
import { AppendQueue, type Sender } from './append-queue.js'
import type { PostgresqlClient } from './client.js'
import { isRolledBack, unknownOutcome } from './errors.js'
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

/** Pauses, in milliseconds, while a server that went away comes back. */
const PAUSES = [20, 100, 300, 600, 1000, 2000]

/**
 * An append whose answer was lost is sent again: the ids of its messages are stored once at most, and a first statement
 * that is still under way holds the conversation's row. Where they are there already they are ours.
 */
async function surely(
  doubtful: boolean,
  { append, find }: { append(): Promise<number | null>; find(): Promise<number | null> },
): Promise<number | null> {
  let unsure = doubtful
  for (let attempt = 0; ; attempt++) {
    try {
      try {
        return await append()
      } catch (error) {
        const last = unsure && error instanceof ConflictError && !error.retryable ? await find() : null
        if (last === null) throw error
        return last
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      unsure ||= error.outcome === 'unknown'
      const wait = PAUSES[attempt]
      if (!unsure || wait === undefined) throw unsure ? unknownOutcome(error.cause) : error
      await sleep(wait)
    }
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
    one: (appending, doubtful = false) =>
      surely(doubtful, {
        append: () => again(() => appendOne(engine, writing, appending)),
        find: () => findAppended(engine, reading, appending),
      }),
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
      one: (appending, doubtful = false) =>
        surely(doubtful, {
          append: () => write(appending.tenantId, (session) => appendOne(engine, session, appending)),
          find: () => write(appending.tenantId, (session) => findAppended(engine, session, appending)),
        }),
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
