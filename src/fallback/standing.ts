import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalState } from '../contract/journal.js'
import type { Chain } from './chain.js'
import type { Member } from './member.js'
import { Outage } from './outage.js'

/** Milliseconds of a lease: a process that hands back and dies is replaced after them. */
export const LEASE = 10_000
/** Milliseconds between two looks at a journal that is being closed. */
const CLOSING = 10

/** How outages begin and are found to have ended; all processes over the same store agree. */
export class Standing {
  #refreshing: Promise<void> | null = null
  constructor(readonly chain: Chain) {}

  /** Begins an outage in the store, or joins the one that is on. */
  async begin(member: Member): Promise<Outage> {
    for (;;) {
      const state = await member.journal.state()
      if (state.phase !== 'idle') return this.#outage(member, state.epoch)
      const next: JournalState = { epoch: state.epoch + 1, phase: 'outage' }
      if (await member.journal.change(state, next)) return this.#outage(member, next.epoch)
    }
  }

  #outage(member: Member, epoch: number): Outage {
    const { clock, newId } = this.chain.options
    return new Outage(member, epoch, { clock, newId })
  }

  /** Whether the outage that is served is still on; if it is not, whoever serves now is found. Waits while it is closed. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  async #refresh(): Promise<void> {
    const { outage } = this.chain
    if (!outage) return
    const { member, epoch } = outage
    for (;;) {
      const state = await member.journal.state()
      if (this.chain.outage !== outage) return
      if (state.phase === 'idle') return this.chain.serve(null, 'the outage was ended')
      if (state.epoch !== epoch) return this.chain.serve(this.#outage(member, state.epoch), 'another outage began')
      if (state.phase === 'outage') return
      await this.#waitForClosing(member, state)
    }
  }

  /** A process that died while it was closing leaves the lease behind: who gets it opens the journal again. */
  async #waitForClosing(member: Member, state: JournalState): Promise<void> {
    await sleep(CLOSING)
    const owner = this.chain.options.newId()
    if (!(await member.journal.lease(owner, LEASE))) return
    try {
      await member.journal.change(state, { ...state, phase: 'outage' })
    } finally {
      await member.journal.release(owner)
    }
  }
}
