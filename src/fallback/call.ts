import type { Backend } from '../contract/backend.js'
import type { Outage } from './outage.js'

/** One call of a caller: made on the first backend, or on one that stands in for it; again where that one refuses. */
export abstract class Call<T = unknown> {
  resolve: (value: T) => void = nothing
  reject: (error: unknown) => void = nothing
  /** Which attempt counts: an earlier one was left. */
  attempt = 0
  /** How often it was refused. */
  refusals = 0
  /** Whether an attempt that was left may have stored something. */
  doubtful = false
  /** When it was made, in ticks. */
  tick = 0
  /** Its neighbours among the calls under way. */
  before: Call | null = null
  after: Call | null = null

  /** Whether it must not be made again. */
  get begun(): boolean {
    return false
  }

  abstract onFirst(backend: Backend): Promise<T>
  abstract inOutage(outage: Outage): Promise<T>
}

const nothing = (): void => {}

/** Calls under way, the oldest first. Linked by themselves: a set would cost a call more than all else of a chain. */
export class Calls {
  #oldest: Call | null = null
  #newest: Call | null = null

  add(call: Call): void {
    call.before = this.#newest
    if (this.#newest === null) this.#oldest = call
    else this.#newest.after = call
    this.#newest = call
  }

  delete(call: Call): void {
    const { before, after } = call
    if (before === null) this.#oldest = after
    else before.after = after
    if (after === null) this.#newest = before
    else after.before = before
    call.before = null
    call.after = null
  }

  /** Those that are there now. */
  all(): Call[] {
    const all: Call[] = []
    for (let call = this.#oldest; call !== null; call = call.after) all.push(call)
    return all
  }

  get oldest(): Call | null {
    return this.#oldest
  }
}
