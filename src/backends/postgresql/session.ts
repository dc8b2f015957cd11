import { setTimeout as sleep } from 'node:timers/promises'
import type { Appends, SqlEngine } from '../sql/engine.js'
import type { SavepointSession } from '../sql/scope.js'
import type { Statement, Values } from '../sql/statement.js'
import { appendOne } from './append.js'
import { translateError } from './errors.js'
import type { Channel, Transaction } from './lane.js'

const NONE: Values = {}

/** Statements that ran once: from the second time on they are prepared, so that one that is never used again is not. */
const known = new WeakSet<Statement<unknown>>()

function isKnown(statement: Statement<unknown>): boolean {
  if (known.has(statement)) return true
  known.add(statement)
  return false
}

/** Runs statements on a channel and decodes what they answer. */
export class PostgresqlSession implements SavepointSession {
  #depth = 0
  readonly appends?: Appends

  /** With the engine, where appends belong to this transaction. */
  constructor(
    readonly channel: Channel,
    engine?: SqlEngine,
  ) {
    if (engine)
      this.appends = {
        submit: async (_, fast, slow) => {
          const last = fast && (await this.savepoint(() => appendOne(engine, this, fast)))
          if (last === null) await slow()
          return last
        },
      }
  }

  async all<R>(statement: Statement<R>, values: Values = NONE): Promise<R[]> {
    const rows = await this.#query(statement, values)
    const decoded = new Array<R>(rows.length)
    for (let i = 0; i < rows.length; i++) decoded[i] = statement.decode(rows[i] as unknown[])
    return decoded
  }

  async run(statement: Statement<unknown>, values: Values = NONE): Promise<number> {
    return (await this.#query(statement, values)).count
  }

  async #query(statement: Statement<unknown>, values: Values) {
    const bound = statement.bind(values)
    try {
      return await this.channel.query(statement.text, bound, isKnown(statement))
    } catch (error) {
      throw translateError(error)
    }
  }

  /** Throws the error as the server sent it. */
  async attempt(statement: Statement<unknown>, values: Values): Promise<number> {
    return (await this.channel.query(statement.text, statement.bind(values), isKnown(statement))).count
  }

  /** The same, with rows. */
  async attemptAll<R>(statement: Statement<R>, values: Values): Promise<R[]> {
    const rows = await this.channel.query(statement.text, statement.bind(values), isKnown(statement))
    return rows.map((row) => statement.decode(row))
  }

  async exec(text: string): Promise<void> {
    try {
      await this.channel.exec(text)
    } catch (error) {
      throw translateError(error)
    }
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    const name = `unit_${this.#depth++}`
    try {
      // Neither is waited for: the connection executes them in this order, and what follows fails with them.
      this.exec(`savepoint ${name}`).catch(() => undefined)
      try {
        const result = await work()
        this.exec(`release savepoint ${name}`).catch(() => undefined)
        return result
      } catch (error) {
        const { broken } = this.channel as Partial<Transaction>
        if (!broken) await this.exec(`rollback to savepoint ${name}; release savepoint ${name}`)
        throw error
      }
    } finally {
      this.#depth--
    }
  }
}

/** Milliseconds before a transaction that the server took back is run again: longer each time, and never in step. */
export const pause = (attempt: number): Promise<void> => sleep(Math.random() * 5 * 2 ** attempt)
