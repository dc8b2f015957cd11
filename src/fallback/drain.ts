import { setTimeout as sleep } from 'node:timers/promises'
import type { Journal, JournalState, StoredEntry } from '../contract/journal.js'
import type { Chain } from './chain.js'
import type { Member } from './member.js'
import type { Outcome, Replay } from './replay.js'
import { LEASE } from './standing.js'

/** Entries that are read at a time. When there are fewer, the rest goes while writes wait. */
const BATCH = 200
/** Entries of one tenant that share a unit. */
const SHARED = 100
/** Batches after which it is asked whether the entries become fewer. */
const ROUNDS = 4
/** Milliseconds that writes wait, and that they do not, where they come faster than they can be handed back. */
const HOLD = 300
const RELIEF = 50

export interface Tally {
  handedBack: number
  parked: number
}

const ELSEWHERE = 'the outage was ended by another process'

/** Empties one journal into the first backend. Its caller has the lease. */
export class Drain {
  readonly #journal: Journal
  #rounds = 0
  #waiting = Number.POSITIVE_INFINITY
  #closed = 0

  constructor(
    readonly chain: Chain,
    readonly member: Member,
    readonly owner: string,
    readonly replay: Replay,
    readonly tally: Tally,
    private state: JournalState,
  ) {
    this.#journal = member.journal
  }

  /** Answers null when the outage has ended, otherwise why it has not. */
  async run(): Promise<string | null> {
    try {
      for (;;) {
        const entries = await this.#journal.read(['waiting'], BATCH)
        if (entries.length > 0) await this.#apply(entries)
        if (!(await this.#journal.lease(this.owner, LEASE))) return 'another process took over'
        if (entries.length === BATCH) await this.#pace()
        else if (this.state.phase === 'outage') {
          if (!(await this.#close())) return ELSEWHERE
        } else if (await this.#change({ epoch: this.state.epoch + 1, phase: 'idle' }, true)) return this.#ended()
        else if ((await this.#journal.state()).epoch !== this.state.epoch) return ELSEWHERE
      }
    } catch (error) {
      if (this.state.phase === 'closing') await this.#open().catch(() => undefined)
      throw error
    } finally {
      this.member.counts = await this.#journal.counts().catch(() => this.member.counts)
    }
  }

  #ended(): null {
    const { chain, member } = this
    if (chain.serving === member) chain.serve(null, `${chain.first.name} is back`)
    return null
  }

  async #change(next: JournalState, drained = false): Promise<boolean> {
    const done = await this.#journal.change(this.state, next, { drained })
    if (done) this.state = next
    return done
  }

  /** Writes wait from now on. */
  #close(): Promise<boolean> {
    this.#closed = performance.now()
    return this.#change({ ...this.state, phase: 'closing' })
  }

  #open(): Promise<boolean> {
    return this.#change({ ...this.state, phase: 'outage' })
  }

  /** Where entries come as fast as they go, writes wait for a part of the time: otherwise it would never end. */
  async #pace(): Promise<void> {
    if (this.state.phase === 'closing') {
      if (performance.now() - this.#closed >= HOLD && (await this.#open())) await sleep(RELIEF)
    } else if (++this.#rounds % ROUNDS === 0) {
      const before = this.#waiting
      this.#waiting = (await this.#journal.counts()).waiting
      if (this.#waiting >= before / 2) await this.#close()
    }
  }

  async #apply(entries: readonly StoredEntry[]): Promise<void> {
    for (const group of groupsOf(entries)) {
      const outcomes = await this.replay.run(group)
      await this.#acknowledge(group, outcomes)
      const parked = outcomes.filter((outcome) => outcome !== null).length
      this.tally.parked += parked
      this.tally.handedBack += outcomes.length - parked
    }
  }

  async #acknowledge(group: readonly StoredEntry[], outcomes: readonly Outcome[]): Promise<void> {
    const done = group.filter((_, i) => outcomes[i] === null)
    if (done.length > 0) await this.#journal.mark(done, 'done')
    for (const [i, reason] of outcomes.entries())
      if (reason !== null) await this.#journal.mark([group[i] as StoredEntry], 'parked', reason)
  }
}

/** Entries that follow each other in one tenant. */
function groupsOf(entries: readonly StoredEntry[]): StoredEntry[][] {
  const groups: StoredEntry[][] = []
  for (const entry of entries) {
    const last = groups.at(-1)
    if (last && last.length < SHARED && last[0]?.tenantId === entry.tenantId) last.push(entry)
    else groups.push([entry])
  }
  return groups
}
