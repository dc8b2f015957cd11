import { BrunoMemoryError, ConnectionError } from '../../errors.js'
import type { SqlEngine, SqlRunner } from '../sql/engine.js'
import { appendOne, appendSeveral } from './append.js'
import { AppendQueue } from './append-queue.js'
import type { PostgresqlClient } from './client.js'
import { isRolledBack } from './errors.js'
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

/** How the repositories reach the store: reads and verbs of one statement by themselves, the others in a transaction. */
export function makeRunner(client: PostgresqlClient, engine: SqlEngine): SqlRunner {
  const reading = new PostgresqlSession(client.channel('read'))
  const writing = new PostgresqlSession(client.channel('write'))
  return {
    read: (work) => work(reading),
    write: (work) => again(() => client.transaction((transaction) => work(new PostgresqlSession(transaction)))),
    appends: new AppendQueue(
      {
        one: (appending) => again(() => appendOne(engine, writing, appending)),
        several: (all) => again(() => appendSeveral(engine, writing, all)),
      },
      SENDERS,
    ),
  }
}
