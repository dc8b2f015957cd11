import { setTimeout as sleep } from 'node:timers/promises'
import type { FollowedState, SemanticTarget } from '../../../src/contract/follow.js'
import { ConnectionError, StorageError } from '../../../src/errors.js'

/** How what a store is told goes wrong. */
export const FAULTS = [
  'none',
  'slow',
  'before',
  'after',
  'twice',
  'shuffled',
  'half',
  'late',
  'again',
  'refused',
] as const
export type Fault = (typeof FAULTS)[number]

/** Milliseconds after which nothing arrives any more: no call takes so long. */
const GIVEN_UP = 200_000

/** What did not arrive when it was sent, and may arrive at any time until it is given up. */
export class Wire {
  readonly #held: { readonly states: readonly FollowedState[]; readonly at: number }[] = []
  late = 0

  constructor(
    readonly target: SemanticTarget,
    readonly clock: () => number,
  ) {}

  hold(states: readonly FollowedState[]): void {
    this.#held.push({ states, at: this.clock() })
  }

  /** Delivers some of it, whatever was told since. */
  async deliver(nth: number): Promise<void> {
    if (this.#held.length === 0) return
    const [sent] = this.#held.splice(nth % this.#held.length, 1)
    if (!sent || this.clock() - sent.at > GIVEN_UP) return
    this.late++
    await this.target.bring(sent.states)
  }

  async deliverAll(): Promise<void> {
    while (this.#held.length > 0) await this.deliver(this.#held.length >> 1)
  }
}

const away = (): never => {
  throw new ConnectionError('the line is cut')
}

/** A store behind a line that loses, repeats and reorders what it is told. */
export class FaultyTarget implements SemanticTarget {
  readonly sideBySide = true
  fault: Fault = 'none'

  constructor(
    readonly wire: Wire,
    readonly random: () => number,
  ) {}

  get callTimeout(): number {
    return this.wire.target.callTimeout
  }

  async bring(states: readonly FollowedState[]): Promise<void> {
    const { fault } = this
    const { target } = this.wire
    if (fault === 'before') away()
    if (fault === 'late') {
      this.wire.hold(states)
      away()
    }
    if (fault === 'refused' && this.random() < 0.7) throw new StorageError('the store cannot take it')
    if (fault === 'slow') await sleep(this.random() * 3)
    // What was sent before may arrive once more after what is sent now.
    if (fault === 'again') this.wire.hold(states)
    if (fault === 'shuffled') await this.#shuffled(states)
    else await target.bring(fault === 'half' ? states.slice(states.length >> 1) : states)
    if (fault === 'twice') await target.bring(states)
    if (fault === 'after' || fault === 'half') away()
  }

  /** One by one, in any order, side by side. */
  async #shuffled(states: readonly FollowedState[]): Promise<void> {
    const mixed = states.map((state) => ({ state, at: this.random() })).sort((a, b) => a.at - b.at)
    const parts = [mixed.slice(0, mixed.length >> 1), mixed.slice(mixed.length >> 1)].filter(({ length }) => length > 0)
    await Promise.all(parts.map((part) => this.wire.target.bring(part.map(({ state }) => state))))
  }

  forget(before: number): Promise<void> {
    return this.wire.target.forget(before)
  }
}
