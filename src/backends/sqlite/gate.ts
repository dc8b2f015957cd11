import { AsyncResource } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from '../../errors.js'
import { isBusy, translateError } from './errors.js'
import type { SqliteSession } from './session.js'

/** `verb`: short work of our own, which may run again. `unit`: a caller's callback. `read`: no transaction. */
type Kind = 'verb' | 'unit' | 'read'
type Work<T> = (session: SqliteSession) => Promise<T>

interface Task {
  readonly kind: Kind
  readonly work: Work<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  timer: NodeJS.Timeout | null
}

export interface GateOptions {
  /** Milliseconds to wait for another process's write. */
  readonly busyTimeout: number
  /** Milliseconds a task waits for a unit of this process. */
  readonly writeTimeout: number
}

/** More than this in one transaction and the first caller waits too long for the last. */
const GROUP = 256

/**
 * The one writer of a file. Tasks run one after the other on the write connection; verbs that wait at the same time
 * share a transaction, and each is answered only after its commit.
 */
export class WriteGate {
  readonly #queue: Task[] = []
  #draining = false
  #unitRuns = false

  constructor(
    readonly session: SqliteSession,
    readonly options: GateOptions,
  ) {}

  submit<T>(kind: Kind, work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // A unit's callback belongs to its caller's asynchronous context, not to that of whoever started the queue.
      const bound = kind === 'unit' ? AsyncResource.bind(work) : work
      const task: Task = { kind, work: bound, resolve: resolve as (value: unknown) => void, reject, timer: null }
      this.#queue.push(task)
      if (this.#unitRuns) this.#startTimer(task)
      if (!this.#draining) {
        this.#draining = true
        // Whatever is submitted in the same turn of the event loop joins the first transaction.
        setImmediate(() => void this.#drain())
      }
    })
  }

  #startTimer(task: Task): void {
    task.timer = setTimeout(() => {
      const at = this.#queue.indexOf(task)
      if (at < 0) return
      this.#queue.splice(at, 1)
      const { writeTimeout } = this.options
      task.reject(
        new TimeoutError(
          `a unit of work holds the write connection; nothing of this call was begun in ${writeTimeout} ms`,
        ),
      )
    }, this.options.writeTimeout)
  }

  #take(): Task {
    const task = this.#queue.shift() as Task
    if (task.timer) clearTimeout(task.timer)
    return task
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const task = this.#take()
      if (task.kind === 'read') await this.#read(task)
      else if (task.kind === 'unit') await this.#unit(task)
      else {
        const group = [task]
        while (this.#queue[0]?.kind === 'verb' && group.length < GROUP) group.push(this.#take())
        await this.#group(group)
      }
    }
    this.#draining = false
  }

  async #read({ work, resolve, reject }: Task): Promise<void> {
    try {
      resolve(await work(this.session))
    } catch (error) {
      reject(error)
    }
  }

  async #unit({ work, resolve, reject }: Task): Promise<void> {
    try {
      await this.#begin()
      this.#unitRuns = true
      for (const waiting of this.#queue) if (waiting.timer === null) this.#startTimer(waiting)
      const result = await work(this.session)
      this.#commit()
      resolve(result)
    } catch (error) {
      this.#rollback()
      reject(error)
    } finally {
      this.#unitRuns = false
    }
  }

  /** All in one transaction; if one fails, again with a savepoint around each, so that it fails alone. */
  async #group(group: readonly Task[]): Promise<void> {
    try {
      await this.#begin()
      const results: unknown[] = []
      for (const { work } of group) results.push(await work(this.session))
      this.#commit()
      group.forEach(({ resolve }, i) => {
        resolve(results[i])
      })
    } catch (error) {
      const began = this.session.client.inTransaction
      this.#rollback()
      if (group.length === 1 || !began) for (const { reject } of group) reject(error)
      else await this.#apart(group)
    }
  }

  async #apart(group: readonly Task[]): Promise<void> {
    const outcomes: (() => void)[] = []
    try {
      await this.#begin()
      for (const { work, resolve, reject } of group) {
        try {
          const result = await this.session.savepoint(() => work(this.session))
          outcomes.push(() => resolve(result))
        } catch (error) {
          if (!this.session.client.inTransaction) throw error
          outcomes.push(() => reject(error))
        }
      }
      this.#commit()
      for (const outcome of outcomes) outcome()
    } catch (error) {
      this.#rollback()
      for (const { reject } of group) reject(error)
    }
  }

  // SQLite's own busy handler would block this thread, and with it the unit that it may be waiting for.
  async #begin(): Promise<void> {
    const deadline = performance.now() + this.options.busyTimeout
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      try {
        this.session.begin()
        return
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) throw translateError(error)
      }
      await sleep(wait * (0.5 + Math.random()))
    }
  }

  #commit(): void {
    this.session.checkOpen()
    this.session.exec('commit')
  }

  // Were it to throw, the queue would stop for good; a transaction that stays open refuses whatever comes next.
  #rollback(): void {
    try {
      if (this.session.client.inTransaction) this.session.client.exec('rollback')
    } catch {}
  }
}
