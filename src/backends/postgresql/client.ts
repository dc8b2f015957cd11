import { ConnectionError, TimeoutError } from '../../errors.js'
import type { Sql } from './connect.js'
import { codeOf, isLost, translateError, unknownOutcome } from './errors.js'
import { type Channel, Lane, type Transaction } from './lane.js'
import { Line, type Rows, type SendOptions, Unsent } from './line.js'
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

/** How often a statement is sent again that was lost with its connection, where that is safe. */
const RESENT = 3

/**
 * Connections of a store. Transactions never share a connection pool with single statements: under load postgres.js
 * gives a transaction a connection that others use too, whose writes are then acknowledged and rolled back.
 */
export class PostgresqlClient {
  readonly #lines: readonly Line[]
  readonly #lanes: Lane[]
  readonly #idle: Lane[]
  readonly #statementSlots: Slots
  readonly #transactionSlots: Slots

  constructor(
    readonly settings: PoolSettings,
    connect: Connect,
  ) {
    const { statements, transactions, acquireTimeout } = settings
    this.#lines = Array.from({ length: statements }, () => new Line(connect))
    this.#lanes = Array.from({ length: transactions }, () => new Lane(connect))
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

  async #statement(
    kind: 'read' | 'write',
    text: string,
    values: readonly unknown[],
    options: SendOptions,
  ): Promise<Rows> {
    if (!this.#statementSlots.take()) await this.#statementSlots.acquire()
    try {
      return await this.#until(kind, this.#sent(kind, text, values, options))
    } finally {
      this.#statementSlots.release()
    }
  }

  async #sent(kind: 'read' | 'write', text: string, values: readonly unknown[], options: SendOptions): Promise<Rows> {
    for (let left = RESENT; ; left--) {
      try {
        return await (this.#lines.length > 0
          ? this.#line().send(text, values, options)
          : this.#onOnly(text, values, options))
      } catch (error) {
        const unsent = error instanceof Unsent
        if (left > 0 && (unsent || (kind === 'read' && isLost(error) && isSent(error)))) continue
        if (unsent) throw new ConnectionError('the connections to PostgreSQL are lost as soon as they are made')
        throw kind === 'write' && isSent(error) ? unknownOutcome(error) : error
      }
    }
  }

  /** One that is connected and has nothing to do; else a new one; else the one that has least. */
  #line(): Line {
    let best = this.#lines[0] as Line
    const rank = (line: Line) => (line.inFlight === 0 ? (line.connected ? -2 : -1) : line.inFlight)
    for (const line of this.#lines) if (rank(line) < rank(best)) best = line
    return best
  }

  /** The server ends a statement by itself; this is for one that does not answer any more. */
  async #until(kind: 'read' | 'write', rows: Promise<Rows>): Promise<Rows> {
    let timer: NodeJS.Timeout | undefined
    const { statementTimeout, acquireTimeout } = this.settings
    const wait = statementTimeout === 0 ? MAX_TIMER : statementTimeout + acquireTimeout
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const tail = kind === 'write' ? '; it is not known whether this write was stored' : ''
        reject(new TimeoutError(`PostgreSQL did not answer in ${wait} ms${tail}`))
      }, wait)
    })
    try {
      return await Promise.race([rows, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** A statement on the only connection, in its turn. */
  async #onOnly(text: string, values: readonly unknown[], options: SendOptions): Promise<Rows> {
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
    await Promise.all([...this.#lines, ...this.#lanes].map((each) => each.end()))
  }
}

/** The connection was never made. 57P03: the server is starting. */
const NEVER_SENT = ['ECONNREFUSED', 'CONNECT_TIMEOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', '57P03']

/** Whether a statement may have reached the server before its connection was lost. */
const isSent = (error: unknown): boolean => isLost(error) && !NEVER_SENT.includes(codeOf(error))
