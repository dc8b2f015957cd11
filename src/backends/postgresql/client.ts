import type postgres from 'postgres'
import { TimeoutError } from '../../errors.js'
import { END, type Sql } from './connect.js'
import { codeOf, isLost, translateError, unknownOutcome } from './errors.js'
import { type Channel, Lane, type Rows, type Transaction } from './lane.js'
import { Slots } from './slots.js'

/** The longest that a timer can be set for, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1
/** Statements that one connection may be given before it answered the first. */
const PIPELINE = 16

export interface PoolSettings {
  /** Connections for single statements; 0 where they share the only one with the transactions. */
  readonly statements: number
  /** Connections for transactions. */
  readonly transactions: number
  /** Milliseconds that a call waits for a connection. */
  readonly acquireTimeout: number
  readonly statementTimeout: number
}

export type Connect = (max: number, onclose?: () => void) => Sql

/**
 * Connections of a store. Transactions never share a connection pool with single statements: under load postgres.js
 * gives a transaction a connection that others use too, whose writes are then acknowledged and rolled back.
 */
export class PostgresqlClient {
  readonly #shared: Sql | null
  readonly #lanes: Lane[]
  readonly #idle: Lane[]
  readonly #statementSlots: Slots
  readonly #transactionSlots: Slots

  constructor(
    readonly settings: PoolSettings,
    connect: Connect,
  ) {
    const { statements, transactions, acquireTimeout } = settings
    this.#shared = statements > 0 ? connect(statements) : null
    this.#lanes = Array.from({ length: transactions }, () => new Lane((onclose) => connect(1, onclose)))
    this.#idle = [...this.#lanes]
    const what = 'no connection to PostgreSQL became free'
    this.#statementSlots = new Slots(Math.max(1, statements * PIPELINE), acquireTimeout, what)
    this.#transactionSlots = new Slots(transactions, acquireTimeout, what)
  }

  /** Single statements, each a transaction by itself. A read may be sent again; a write's outcome may stay unknown. */
  channel(kind: 'read' | 'write'): Channel {
    return {
      query: (text, values, prepare) => this.#statement(kind, text, values, { prepare, simple: false }),
      exec: async (text) => {
        await this.#statement(kind, text, [], { simple: true })
      },
    }
  }

  /** The one value that a query without values answers. */
  async ask(text: string): Promise<unknown> {
    try {
      return (await this.#statement('read', text, [], { simple: true }))[0]?.[0]
    } catch (error) {
      throw translateError(error)
    }
  }

  async #statement(kind: 'read' | 'write', text: string, values: readonly unknown[], options: object): Promise<Rows> {
    if (!this.#statementSlots.take()) await this.#statementSlots.acquire()
    try {
      try {
        return await this.#answered(kind, text, values, options)
      } catch (error) {
        if (kind === 'write') throw isSent(error) ? unknownOutcome(error) : error
        if (!isLost(error) || !isSent(error)) throw error
        // The connection had gone while it was idle, which is noticed only when it is used.
        return await this.#answered(kind, text, values, options)
      }
    } finally {
      this.#statementSlots.release()
    }
  }

  async #answered(kind: 'read' | 'write', text: string, values: readonly unknown[], options: object): Promise<Rows> {
    let timer: NodeJS.Timeout | undefined
    // The server ends a statement by itself; this is for one that does not answer any more.
    const { statementTimeout, acquireTimeout } = this.settings
    const wait = statementTimeout === 0 ? MAX_TIMER : statementTimeout + acquireTimeout
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const tail = kind === 'write' ? '; it is not known whether this write was stored' : ''
        reject(new TimeoutError(`PostgreSQL did not answer in ${wait} ms${tail}`))
      }, wait)
    })
    try {
      const shared = this.#shared
      if (!shared) return await Promise.race([this.#onOnly(text, values, options), late])
      const query = shared.unsafe(text, values as postgres.ParameterOrJSON<never>[], options).values()
      return (await Promise.race([query, late])) as unknown as Rows
    } finally {
      clearTimeout(timer)
    }
  }

  /** A statement on the only connection, in its turn. */
  async #onOnly(text: string, values: readonly unknown[], options: object): Promise<Rows> {
    if (!this.#transactionSlots.take()) await this.#transactionSlots.acquire()
    try {
      return await (this.#lanes[0] as Lane).statement(text, values, options)
    } finally {
      this.#transactionSlots.release()
    }
  }

  /** Runs work in a transaction of its own; `settings` are statements that go with its BEGIN. */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>, settings: readonly string[] = []): Promise<T> {
    return this.#onLane(async (transaction) => {
      const result = await Promise.race([work(transaction), transaction.lost])
      await transaction.commit()
      return { result, end: null }
    }, settings)
  }

  /** The same for work that only reads: nobody waits for its end. */
  async snapshot<T>(work: (transaction: Transaction) => Promise<T>, settings: readonly string[]): Promise<T> {
    return this.#onLane(async (transaction) => {
      const result = await Promise.race([work(transaction), transaction.lost])
      return { result, end: transaction.commit().catch(() => undefined) }
    }, settings)
  }

  async #onLane<T>(
    work: (transaction: Transaction) => Promise<{ readonly result: T; readonly end: Promise<unknown> | null }>,
    settings: readonly string[],
  ): Promise<T> {
    if (!this.#transactionSlots.take()) await this.#transactionSlots.acquire()
    const lane = this.#takeLane()
    let end: Promise<unknown> | null = null
    try {
      const transaction = await lane.begin(settings)
      try {
        const done = await work(transaction)
        end = done.end
        return done.result
      } catch (error) {
        await transaction.rollback()
        throw error
      }
    } finally {
      const release = () => {
        this.#idle.push(lane)
        this.#transactionSlots.release()
      }
      if (end !== null) void end.finally(release)
      else release()
    }
  }

  // One that is connected already, the last used first: the others may rest.
  #takeLane(): Lane {
    const at = this.#idle.findLastIndex((lane) => lane.ready)
    return this.#idle.splice(at < 0 ? this.#idle.length - 1 : at, 1)[0] as Lane
  }

  async close(): Promise<void> {
    await Promise.all([this.#shared?.end(END), ...this.#lanes.map((lane) => lane.end())])
  }
}

/** The connection was never made. 57P03: the server is starting. */
const NEVER_SENT = ['ECONNREFUSED', 'CONNECT_TIMEOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', '57P03']

/** Whether a statement may have reached the server before its connection was lost. */
const isSent = (error: unknown): boolean => isLost(error) && !NEVER_SENT.includes(codeOf(error))
