import type postgres from 'postgres'
import { END, type Sql } from './connect.js'
import { codeOf } from './errors.js'

/** Values are in the server's text form. */
export type Rows = readonly (readonly unknown[])[] & { readonly count: number; readonly command: string }
/** `simple` is not in the client's types: without it a statement without values could not be prepared. */
export type SendOptions = postgres.UnsafeQueryOptions & { readonly simple: boolean }
type Query = postgres.PendingQuery<postgres.Row[]> & { readonly state: unknown }

/** What the client answers for a query that is cancelled before it was sent. */
const CANCELLED = '57014'

/** The connection was lost before a statement left for it: it may be sent on another one. */
export class Unsent extends Error {}

/**
 * One connection, made when it is first used. After a loss a fresh instance of the client takes its place: the old one
 * would begin the next connection with what was left in its buffer, and wait for ever for what it never sends.
 */
export class Line {
  #sql: Sql
  readonly #pending = new Set<Query>()
  #connected = false

  constructor(
    readonly connect: (max: number, onclose: () => void) => Sql,
    /** Called at once when the connection is lost, before anything else is. */
    readonly onlost: () => void = () => {},
  ) {
    this.#sql = this.#make()
  }

  /** Whether it has answered since its connection was made. */
  get connected(): boolean {
    return this.#connected
  }
  get inFlight(): number {
    return this.#pending.size
  }

  #make(): Sql {
    const made: Sql = this.connect(1, () => {
      if (this.#sql === made) this.#lost(made)
    })
    return made
  }

  #lost(old: Sql): void {
    this.#connected = false
    this.onlost()
    this.#sql = this.#make()
    // What was sent has been rejected by the client; the rest would be sent on its next connection.
    for (const query of this.#pending) if (query.state === null) query.cancel()
    old.end({ timeout: 0 }).catch(() => undefined)
  }

  /** @throws Unsent, or what the server or the socket answers. */
  async send(text: string, values: readonly unknown[], options: SendOptions): Promise<Rows> {
    const sql = this.#sql
    const query = sql.unsafe(text, values as postgres.ParameterOrJSON<never>[], options) as unknown as Query
    this.#pending.add(query)
    try {
      const rows = (await query.values().execute()) as unknown as Rows
      if (sql === this.#sql) this.#connected = true
      return rows
    } catch (error) {
      // One whose connection could not be made at all was rejected for that before it was cancelled.
      throw query.state === null && codeOf(error) === CANCELLED ? new Unsent() : error
    } finally {
      this.#pending.delete(query)
    }
  }

  async end(): Promise<void> {
    await this.#sql.end(END)
  }
}
