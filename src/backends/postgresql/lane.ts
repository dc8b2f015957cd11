import { ConnectionError, StorageError } from '../../errors.js'
import { isLost, translateError, unknownOutcome } from './errors.js'
import { Line, type Rows, type SendOptions, Unsent } from './line.js'

/** Runs statements of our own making; values as the server's text form. */
export interface Channel {
  query(text: string, values: readonly unknown[], prepare: boolean): Promise<Rows>
  /** Statements that need no values and answer none. */
  exec(text: string): Promise<void>
}

/** Milliseconds after which a connection is looked at before a transaction begins on it. */
const RESTED = 500

const lost = (): ConnectionError =>
  new ConnectionError('the connection to PostgreSQL was lost: nothing of this unit was stored')

/**
 * One connection that transactions have to themselves. `begin` of postgres.js would go on with a transaction's
 * statements on another connection after its own was lost, outside of any transaction.
 */
export class Lane {
  readonly #line: Line
  #looked = false
  #rested = 0
  #current: Transaction | null = null

  constructor(connect: Line['connect']) {
    this.#line = new Line(connect, () => {
      this.#looked = false
      this.#current?.break(lost())
      this.#current = null
    })
  }

  /** Whether a transaction can begin without a connection being made first. */
  get ready(): boolean {
    return this.#looked && this.#line.connected
  }

  /**
   * Begins a transaction. On a connection that is open its BEGIN goes with the first statement; on a new one it is
   * waited for, for what follows a BEGIN that failed would be executed by itself.
   */
  async begin(settings: readonly string[]): Promise<Transaction> {
    // One that rested may have been cut off meanwhile, which shows only when it is used.
    if (!this.ready || performance.now() - this.#rested > RESTED) await this.#look()
    const transaction = new Transaction(this.#line, (broken) => {
      if (this.#current === transaction) this.#current = null
      if (broken) this.#looked = false
      this.#rested = performance.now()
    })
    this.#current = transaction
    transaction.start(settings)
    return transaction
  }

  /** A statement that is a transaction by itself; nobody else may use the lane meanwhile. */
  statement(text: string, values: readonly unknown[], options: SendOptions): Promise<Rows> {
    return this.#line.send(text, values, options)
  }

  async #look(): Promise<void> {
    const look = () => this.#line.send('select 1', [], { simple: true })
    try {
      await look().catch(look)
    } catch (error) {
      throw translateError(error)
    }
    this.#looked = true
    this.#rested = performance.now()
  }

  end(): Promise<void> {
    return this.#line.end()
  }
}

/** From BEGIN to its end; nothing reaches the connection afterwards. */
export class Transaction implements Channel {
  #broken: Error | null = null
  #ended = false
  /** Rejects when the connection is lost, whatever the unit is waiting for. */
  readonly lost: Promise<never>
  #lose: (error: Error) => void = () => {}

  constructor(
    readonly line: Line,
    readonly leave: (broken: boolean) => void,
  ) {
    this.lost = new Promise<never>((_, reject) => {
      this.#lose = reject
    })
    this.lost.catch(() => undefined)
  }

  /** Sent at once, answered with what follows: the connection executes them in this order. */
  start(settings: readonly string[]): void {
    for (const text of ['begin', ...settings]) this.#send(text, [], { simple: true }).catch(() => undefined)
  }

  break(error: Error): void {
    if (this.#ended) return
    this.#broken ??= error
    this.#lose(error)
  }

  get broken(): Error | null {
    return this.#broken
  }

  async #send(text: string, values: readonly unknown[], options: SendOptions): Promise<Rows> {
    if (this.#broken) throw this.#broken
    if (this.#ended) throw new StorageError('the transaction has ended')
    try {
      return await this.line.send(text, values, options)
    } catch (error) {
      if (error instanceof Unsent || isLost(error)) this.break(lost())
      throw this.#broken ?? error
    }
  }

  async query(text: string, values: readonly unknown[], prepare: boolean): Promise<Rows> {
    return this.#send(text, values, { prepare, simple: false })
  }

  async exec(text: string): Promise<void> {
    await this.#send(text, [], { simple: true })
  }

  /** @throws ConnectionError whose outcome is unknown where the connection was lost before the answer. */
  async commit(): Promise<void> {
    if (this.#broken) throw this.#broken
    let command: string
    try {
      command = (await this.#send('commit', [], { simple: true })).command
    } catch (error) {
      this.#end()
      throw this.#broken ? unknownOutcome(error) : translateError(error)
    }
    this.#end()
    // A COMMIT of a transaction in which a statement failed takes it back, and succeeds.
    if (command !== 'COMMIT') throw new StorageError('a statement had failed before: nothing of this unit was stored')
  }

  async rollback(): Promise<void> {
    if (!this.#broken) {
      try {
        await this.#send('rollback', [], { simple: true })
      } catch {
        // The connection is gone, and with it the transaction.
      }
    }
    this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.leave(this.#broken !== null)
  }
}
