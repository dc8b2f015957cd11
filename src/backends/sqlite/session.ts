import type Database from 'better-sqlite3'
import { ConflictError, StorageError } from '../../errors.js'
import type { SavepointSession } from '../sql/scope.js'
import type { Statement, Values } from '../sql/statement.js'
import { translateError } from './errors.js'
import type { SearchIndex } from './fts.js'

type Prepared = Database.Statement<unknown[], unknown>
const NONE: Values = {}

/** Prepared statements on one connection. They answer at once: SQLite runs in this thread. */
export class SqliteSession implements SavepointSession {
  readonly #prepared = new WeakMap<Statement<unknown>, Prepared>()
  readonly #texts = new Map<string, Prepared>()
  #depth = 0
  #revision: number | null = null

  constructor(
    readonly client: Database.Database,
    readonly access: 'read' | 'write',
  ) {}

  all<R>(statement: Statement<R>, values: Values = NONE): R[] {
    return this.#run(statement, values, (prepared, bound) => {
      const rows = prepared.all(...bound) as unknown[][]
      const decoded = new Array<R>(rows.length)
      for (let i = 0; i < rows.length; i++) decoded[i] = statement.decode(rows[i] as unknown[])
      return decoded
    })
  }

  run(statement: Statement<unknown>, values: Values = NONE): number {
    return this.#run(statement, values, (prepared, bound) => prepared.run(...bound).changes)
  }

  /** Inserts rows one by one and indexes them by one statement: their rowids follow each other, for nobody else writes. */
  insert(
    statement: Statement<unknown>,
    index: SearchIndex,
    rows: readonly Values[],
    path: (index: number) => string,
  ): void {
    const revision = this.draw()
    const prepared = this.#prepare(statement)
    let first = 0
    let last = 0
    for (let i = 0; i < rows.length; i++) {
      try {
        last = Number(prepared.run(...statement.bind(rows[i] as Values, revision)).lastInsertRowid)
      } catch (error) {
        const translated = translateError(error)
        throw translated instanceof ConflictError
          ? new ConflictError(`${path(i)}: this id exists already`, { cause: error })
          : translated
      }
      if (i === 0) first = last
    }
    this.index(index, first, last)
  }

  index({ add, follow }: SearchIndex, first: number, last: number): void {
    try {
      this.#text(add).run(first, last)
      this.#text(follow).run(first, last)
    } catch (error) {
      throw translateError(error)
    }
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    // Outside a transaction a savepoint would begin one of its own, and its release would commit it.
    this.checkOpen()
    const name = `unit_${this.#depth++}`
    this.exec(`savepoint ${name}`)
    try {
      const result = await work()
      this.exec(`release ${name}`)
      return result
    } catch (error) {
      // A full disk ends the whole transaction: there is nothing left to roll back to.
      if (this.client.inTransaction) this.exec(`rollback to ${name}; release ${name}`)
      this.#revision = null
      throw error
    } finally {
      this.#depth--
    }
  }

  begin(): void {
    this.#revision = null
    this.client.exec('begin immediate')
  }

  exec(text: string): void {
    try {
      this.client.exec(text)
    } catch (error) {
      throw translateError(error)
    }
  }

  /** One query of the engine's own, such as a PRAGMA's value. */
  get<T>(text: string): T | undefined {
    return this.#text(text).get() as T | undefined
  }

  #run<T>(statement: Statement<unknown>, values: Values, work: (prepared: Prepared, bound: unknown[]) => T): T {
    try {
      const prepared = this.#prepare(statement)
      return work(prepared, statement.bind(values, statement.drawsRevision ? this.draw() : undefined))
    } catch (error) {
      throw translateError(error)
    }
  }

  /** The revision of this transaction. */
  // One a transaction: nobody sees its rows one by one. It is kept until the counter's row may have changed back.
  draw(): number {
    this.checkOpen()
    if (this.#revision !== null) return this.#revision
    const row = this.#text('update bruno_revision set value = value + 1 returning value').get() as
      | { value: number }
      | undefined
    if (!row) throw new StorageError('the revision counter is missing: run `bruno-memory migrate verify`')
    this.#revision = row.value
    return row.value
  }

  // SQLite ends a transaction by itself on some errors; what follows must not be committed one by one.
  checkOpen(): void {
    if (this.access === 'write' && !this.client.inTransaction)
      throw new StorageError('the transaction has ended: nothing of this unit was stored')
  }

  #prepare(statement: Statement<unknown>): Prepared {
    this.checkOpen()
    let prepared = this.#prepared.get(statement)
    if (prepared === undefined) {
      prepared = this.client.prepare(statement.text) as Prepared
      if (statement.returns) prepared.raw(true)
      this.#prepared.set(statement, prepared)
    }
    return prepared
  }

  #text(text: string): Prepared {
    let prepared = this.#texts.get(text)
    if (prepared === undefined) {
      prepared = this.client.prepare(text) as Prepared
      this.#texts.set(text, prepared)
    }
    return prepared
  }
}
