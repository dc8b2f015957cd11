import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalState, StoredEntry } from '../contract/journal.js'
import type { Chain } from './chain.js'
import type { Member } from './member.js'
import { describeError } from './refusal.js'
import { type Outcome, Replay } from './replay.js'
import { LEASE } from './standing.js'
import type { HandBackReport } from './types.js'

/** Entries that are read at a time. When there are fewer, the rest goes while writes wait. */
const BATCH = 200
/** Entries of one tenant that share a unit. */
const SHARED = 100
/** Milliseconds between two looks at calls that were left. */
const LOOK = 25

interface Tally {
  handedBack: number
  parked: number
}

/** What was written while the first backend was away becomes its own. */
export class HandBack {
  #running: Promise<HandBackReport> | null = null
  #replay: Replay | null = null
  readonly #owner: string

  constructor(readonly chain: Chain) {
    this.#owner = chain.options.newId()
  }

  /** Shared by concurrent callers. */
  run(): Promise<HandBackReport> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  /** Waits for a run that is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<HandBackReport> {
    const tally: Tally = { handedBack: 0, parked: 0 }
    let reason: string | null = null
    try {
      reason = await this.#all(tally)
    } catch (error) {
      reason = describeError(error)
    }
    return { ...tally, finished: reason === null, reason }
  }

  async #all(tally: Tally): Promise<string | null> {
    const { first, members } = this.chain
    if (!(await first.revive())) return first.reason ?? `${first.name} is away`
    await this.#settled(first)
    const { serving } = this.chain
    // What serves is last: until then it takes the new writes.
    const others = members.filter((member) => member !== first && member !== serving)
    let reason: string | null = null
    for (const member of serving === first ? others : [...others, serving]) {
      const why = await this.#drain(member, tally)
      reason ??= why
    }
    return reason
  }

  /** A call that was left and is still under way could otherwise come behind what was written after it. */
  async #settled(first: Member): Promise<void> {
    const looks = Math.ceil((2 * this.chain.options.callTimeout) / LOOK)
    for (let i = 0; i < looks && first.left > 0; i++) await sleep(LOOK)
  }

  async #drain(member: Member, tally: Tally): Promise<string | null> {
    if (!member.isOpen) return null
    const { journal } = member
    const state = await journal.state()
    if (state.phase === 'idle') {
      if (this.chain.serving === member) this.chain.serve(null, 'the outage was ended')
      return null
    }
    if (!(await journal.lease(this.#owner, LEASE))) return 'another process is handing back'
    try {
      return await this.#drainWith(member, state, tally)
    } finally {
      await journal.release(this.#owner).catch(() => undefined)
    }
  }

  async #drainWith(member: Member, begun: JournalState, tally: Tally): Promise<string | null> {
    const { journal } = member
    let state = begun
    const phase = async (next: JournalState, drained = false): Promise<boolean> => {
      const done = await journal.change(state, next, { drained })
      if (done) state = next
      return done
    }
    try {
      for (;;) {
        const entries = await journal.read(['waiting'], BATCH)
        if (entries.length > 0) await this.#apply(member, entries, tally)
        if (!(await journal.lease(this.#owner, LEASE))) return 'another process took over'
        if (entries.length === BATCH) continue
        if (state.phase === 'outage') {
          if (!(await phase({ ...state, phase: 'closing' }))) return 'the outage was ended by another process'
        } else if (await phase({ epoch: state.epoch + 1, phase: 'idle' }, true)) {
          if (this.chain.serving === member) this.chain.serve(null, `${this.chain.first.name} is back`)
          return null
        } else if ((await journal.state()).epoch !== state.epoch) return 'the outage was ended by another process'
      }
    } catch (error) {
      if (state.phase === 'closing') await phase({ ...state, phase: 'outage' }).catch(() => undefined)
      throw error
    } finally {
      member.counts = await journal.counts().catch(() => member.counts)
    }
  }

  async #apply(member: Member, entries: readonly StoredEntry[], tally: Tally): Promise<void> {
    this.#replay ??= new Replay(this.chain.first.backend)
    for (const group of groupsOf(entries)) {
      const outcomes = await this.#replay.run(group)
      await this.#acknowledge(member, group, outcomes)
      const parked = outcomes.filter((outcome) => outcome !== null).length
      tally.parked += parked
      tally.handedBack += outcomes.length - parked
    }
  }

  async #acknowledge({ journal }: Member, group: readonly StoredEntry[], outcomes: readonly Outcome[]): Promise<void> {
    const done = group.filter((_, i) => outcomes[i] === null)
    if (done.length > 0) await journal.mark(done, 'done')
    for (const [i, reason] of outcomes.entries())
      if (reason !== null) await journal.mark([group[i] as StoredEntry], 'parked', reason)
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
