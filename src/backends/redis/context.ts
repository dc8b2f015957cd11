import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from '../../errors.js'
import type { Checks } from '../../model/check.js'
import type { RedisClient } from './client.js'
import type { TenantKeys } from './keys.js'
import type { Life } from './records.js'
import { Changed, Locked, Transaction } from './transaction.js'

/** What the repositories of one store share. */
export interface RedisStore {
  readonly client: RedisClient
  readonly checks: Checks
  readonly clock: () => number
  readonly newId: () => string
  /** Makes what a write is known by. */
  readonly token: () => string
  readonly prefix: string
  /** Keys of two tags cannot be in one script. */
  readonly clustered: boolean
  /** Milliseconds of the default expiry, or null. */
  readonly ttl: number | null
  readonly sliding: boolean
  readonly writeTimeout: number
  /** Events kept per tenant; null where none are told. */
  readonly keep: number | null
  /** The last append of each conversation that waits. */
  readonly queues: Map<string, Promise<unknown>>
  /** Makes the tenant known to sweeps, once. */
  readonly know: (tenantId: string) => Promise<void>
}

/** How repositories read and write: on the store, or inside a unit. */
interface Runner {
  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** May run the work again: it must not change anything but the transaction. */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Whether single calls may go to the server by themselves. */
  readonly direct: boolean
}

/** The same in one tenant. */
export interface RedisContext extends RedisStore {
  readonly tenantId: string
  readonly keys: TenantKeys
  readonly runner: Runner
}

export const nowOf = (context: RedisStore): Date => new Date(context.clock())

/** The life of a record that begins now. */
export const newLife = (context: RedisStore, expiresAt: Date | null | undefined): Life => ({
  own: expiresAt?.getTime() ?? null,
  given: context.ttl === null ? null : context.clock() + context.ttl,
})

/** What becomes of a life when the record is used. */
export const slid = (context: RedisStore, life: Life): Life =>
  context.sliding && context.ttl !== null ? { ...life, given: context.clock() + context.ttl } : life

export function begin(store: RedisStore, keys: TenantKeys, waits: number | null): Transaction {
  const { client, keep, token, clock, prefix } = store
  return new Transaction({ client, keys, prefix, token: token(), now: clock(), keep, waits })
}

/** Attempts that only look at the end whether somebody was faster; later ones take the records in hand. */
const HOPEFUL = 4
const LONGEST_PAUSE = 25

/** Each verb is a unit of its own. */
export function storeRunner(store: RedisStore, tenantId: string, keys: TenantKeys): Runner {
  return {
    direct: true,
    read: (work) => work(begin(store, keys, null)),
    async write(work) {
      await store.know(tenantId)
      const started = performance.now()
      for (let attempt = 1; ; attempt++) {
        const left = store.writeTimeout - (performance.now() - started)
        const tx = begin(store, keys, attempt > HOPEFUL ? Math.max(0, left) : null)
        try {
          const result = await work(tx)
          await tx.commit()
          return result
        } catch (error) {
          await tx.end()
          if (!(error instanceof Locked || error instanceof Changed)) throw error
          if (left <= 0) throw new TimeoutError('a unit keeps the record for longer than writeTimeout')
        }
        await pause(attempt)
      }
    },
  }
}

/** Longer from time to time, and never the same for two who wait for each other. */
export const pause = (attempt: number): Promise<void> =>
  sleep(1 + Math.random() * Math.min(LONGEST_PAUSE, 2 ** Math.min(attempt, 5)))

/** Inside a unit a verb is a savepoint: a refused one leaves nothing. */
export const unitRunner = (tx: Transaction): Runner => ({
  direct: false,
  read: (work) => work(tx),
  write: (work) => tx.savepoint(() => work(tx)),
})
