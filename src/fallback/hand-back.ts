import { setTimeout as sleep } from 'node:timers/promises'
import type { Chain } from './chain.js'
import { Drain, type Tally } from './drain.js'
import type { Member } from './member.js'
import { describeError } from './refusal.js'
import { Replay } from './replay.js'
import { LEASE } from './standing.js'
import type { HandBackReport } from './types.js'

/** Milliseconds between two looks at calls that were left. */
const LOOK = 25

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
    if ((await journal.state()).phase === 'idle') {
      if (this.chain.serving === member) this.chain.serve(null, 'the outage was ended')
      return null
    }
    if (!(await journal.lease(this.#owner, LEASE))) return 'another process is handing back'
    try {
      // It may have been ended, or closed by a process that died, in front of the lease.
      const state = await journal.state()
      if (state.phase === 'idle') return null
      this.#replay ??= new Replay(this.chain.first.backend)
      return await new Drain(this.chain, member, this.#owner, this.#replay, tally, state).run()
    } finally {
      await journal.release(this.#owner).catch(() => undefined)
    }
  }
}
