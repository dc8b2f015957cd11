import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionError, OverloadedError, StorageError, TimeoutError } from '../../errors.js'
import type { PostgresqlClient } from './client.js'

interface Replica {
  readonly client: PostgresqlClient
  /** The position in the write-ahead log that it has surely replayed. */
  replayed: bigint
  /** When it may be asked again, after a failure. */
  resting: number
}

/** Milliseconds that a replica which failed is left alone. */
const REST = 5000
/** Milliseconds between two looks how far a replica is. */
const LOOK = 5

/** `16/B374D848` as a number. */
const position = (lsn: unknown): bigint => {
  const [high = '0', low = '0'] = String(lsn).split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

const isAway = (error: unknown): boolean =>
  error instanceof ConnectionError ||
  error instanceof OverloadedError ||
  error instanceof TimeoutError ||
  // A replica ends queries that hold up its replay.
  (error instanceof StorageError && error.retryable)

/** Servers that follow the primary. A read goes there only when everything that this memory wrote has arrived. */
export class Replicas {
  readonly #replicas: Replica[]
  #next = 0
  #writes = 0
  #seen = 0
  #needed = 0n

  constructor(
    readonly primary: PostgresqlClient,
    clients: readonly PostgresqlClient[],
    /** Milliseconds to wait for a replica. */
    readonly wait: number,
  ) {
    this.#replicas = clients.map((client) => ({ client, replayed: -1n, resting: 0 }))
  }

  /** To be told of each write that was acknowledged. */
  wrote(): void {
    this.#writes++
  }

  /** Reads on a replica, or on the primary where none is up to date in time. */
  async read<T>(work: (client: PostgresqlClient) => Promise<T>): Promise<T> {
    const replica = await this.#choose()
    if (!replica) return work(this.primary)
    try {
      return await work(replica.client)
    } catch (error) {
      if (!isAway(error)) throw error
      replica.resting = performance.now() + REST
      return work(this.primary)
    }
  }

  async #choose(): Promise<Replica | null> {
    const now = performance.now()
    const ready = this.#replicas.filter((replica) => replica.resting <= now)
    const replica = ready[this.#next++ % Math.max(1, ready.length)]
    if (!replica) return null
    try {
      const needed = await this.#position()
      if (replica.replayed >= needed || (await this.#caughtUp(replica, needed))) return replica
      return null
    } catch (error) {
      if (!isAway(error)) throw error
      replica.resting = now + REST
      return null
    }
  }

  /** Behind everything that was acknowledged before this call. */
  async #position(): Promise<bigint> {
    if (this.#seen !== this.#writes) {
      const writes = this.#writes
      const needed = position(await this.primary.ask('select pg_current_wal_insert_lsn()'))
      if (needed > this.#needed) this.#needed = needed
      if (writes > this.#seen) this.#seen = writes
    }
    return this.#needed
  }

  async #caughtUp(replica: Replica, needed: bigint): Promise<boolean> {
    const deadline = performance.now() + this.wait
    for (;;) {
      const lsn = await replica.client.ask('select pg_last_wal_replay_lsn()')
      // It follows nobody (any more): what it has is not what the primary has.
      if (lsn === null) throw new ConnectionError('the replica is a server of its own')
      const replayed = position(lsn)
      if (replayed > replica.replayed) replica.replayed = replayed
      if (replica.replayed >= needed) return true
      if (performance.now() + LOOK > deadline) return false
      await sleep(LOOK)
    }
  }
}
