import { BrunoMemoryError, ConnectionError } from '../../errors.js'
import type { Appending, Appends } from '../sql/engine.js'

/** How a queue reaches the store. */
export interface Sender {
  /** `doubtful`: it may have been stored already. */
  one(appending: Appending, doubtful?: boolean): Promise<number | null>
  /** All of one tenant, and all or nothing. */
  several(all: readonly Appending[]): Promise<(number | null)[]>
}

interface Job {
  readonly fast: Appending | null
  readonly slow: () => Promise<void>
  readonly resolve: (last: number | null) => void
  readonly reject: (error: unknown) => void
}

/** What goes to one conversation at a time: jobs that are appended together, or one that cannot be. */
interface Turn {
  readonly conversation: string
  readonly jobs: readonly Job[]
  readonly appending: Appending | null
}

/** The store is away or busy: each alone would be answered the same. */
const AWAY = ['connection', 'timeout', 'overloaded', 'closed']
/** Messages, and conversations, that one statement takes at most. */
const MOST_ROWS = 1000
const MOST_TURNS = 64

/**
 * Appends of one process. To one conversation they go one after the other, in the order of their calls, for its row is
 * locked by each; what waits meanwhile goes together. When all connections are busy, so do those of several
 * conversations: each is answered after its commit, and fails alone.
 */
export class AppendQueue implements Appends {
  /** The jobs that wait for a conversation in hand. */
  readonly #busy = new Map<string, Job[]>()
  #ready: Turn[] = []
  #flying = 0
  #scheduled = false

  constructor(
    readonly sender: Sender,
    /** Statements under way at most. */
    readonly most: number,
  ) {}

  submit(conversation: string, fast: Appending | null, slow: () => Promise<void>): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const job = { fast, slow, resolve, reject }
      const waiting = this.#busy.get(conversation)
      if (waiting) waiting.push(job)
      else {
        this.#busy.set(conversation, [])
        this.#ready.push({ conversation, jobs: [job], appending: fast })
        this.#schedule()
      }
    })
  }

  /** Calls that are made in one go are sent together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#ready.length > 0 && this.#flying < this.most) {
      const group = this.#group()
      this.#flying++
      void this.#send(group).finally(() => {
        this.#flying--
        for (const { conversation } of group) this.#next(conversation)
        this.#pump()
      })
    }
  }

  /** The first that is ready, with others of its tenant and language. */
  #group(): Turn[] {
    const [first] = this.#ready
    if (!first?.appending) return this.#ready.splice(0, 1)
    const { tenantId, language } = first.appending
    const group: Turn[] = []
    let rows = 0
    this.#ready = this.#ready.filter((turn) => {
      const { appending } = turn
      const fits =
        appending?.tenantId === tenantId &&
        appending.language === language &&
        group.length < MOST_TURNS &&
        (group.length === 0 || rows + appending.rows.length <= MOST_ROWS)
      if (!fits || !appending) return true
      group.push(turn)
      rows += appending.rows.length
      return false
    })
    return group
  }

  /** The turn of what waited for a conversation. */
  #next(conversation: string): void {
    const waiting = this.#busy.get(conversation) ?? []
    const [first] = waiting
    if (!first) {
      this.#busy.delete(conversation)
      return
    }
    let n = 1
    let rows = first.fast?.rows.length ?? 0
    const joins = ({ fast }: Job): boolean =>
      fast !== null && fast.userId === first.fast?.userId && rows + fast.rows.length <= MOST_ROWS
    if (first.fast !== null)
      for (let job = waiting[n]; job && joins(job); job = waiting[++n]) rows += job.fast?.rows.length ?? 0
    const jobs = waiting.splice(0, n)
    const appending = first.fast && { ...first.fast, rows: jobs.flatMap(({ fast }) => fast?.rows ?? []) }
    this.#ready.push({ conversation, jobs, appending })
  }

  async #send(group: readonly Turn[]): Promise<void> {
    const [first] = group
    if (group.length === 1 && first && first.jobs.length === 1) return this.#alone(first.jobs[0] as Job)
    try {
      const all = group.map(({ appending }) => appending as Appending)
      const last = all.length === 1 ? [await this.sender.one(all[0] as Appending)] : await this.sender.several(all)
      await Promise.all(group.map((turn, i) => this.#answer(turn, last[i] ?? null)))
    } catch (error) {
      // Who is to blame, or whether it was stored, shows when each is tried alone.
      const doubtful = error instanceof ConnectionError && error.outcome === 'unknown'
      const away = !doubtful && error instanceof BrunoMemoryError && AWAY.includes(error.code)
      if (away) for (const { jobs } of group) for (const { reject } of jobs) reject(error)
      else await Promise.all(group.map((turn) => this.#apart(turn, doubtful)))
    }
  }

  async #answer(turn: Turn, last: number | null): Promise<void> {
    if (last === null) return this.#apart(turn)
    let end = last - (turn.appending?.rows.length ?? 0)
    for (const { fast, resolve } of turn.jobs) {
      end += fast?.rows.length ?? 0
      resolve(end)
    }
  }

  async #apart({ jobs }: Turn, doubtful = false): Promise<void> {
    for (const job of jobs) await this.#alone(job, doubtful)
  }

  async #alone({ fast, slow, resolve, reject }: Job, doubtful = false): Promise<void> {
    try {
      const last = fast && (await this.sender.one(fast, doubtful))
      if (last === null) await slow()
      resolve(last)
    } catch (error) {
      reject(error)
    }
  }
}
