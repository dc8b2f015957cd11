import type { Backend } from '../contract/backend.js'
import type { Outage } from './outage.js'

/** One call of a caller: made on the first backend, or on one that stands in for it; again where that one refuses. */
export abstract class Call<T = unknown> {
  resolve: (value: T) => void = () => {}
  reject: (error: unknown) => void = () => {}
  /** Which attempt counts: an earlier one was left. */
  attempt = 0
  /** How often it was refused. */
  refusals = 0
  /** Whether an attempt that was left may have stored something. */
  doubtful = false
  /** When it was made, in ticks. */
  tick = 0

  /** Whether it must not be made again. */
  get begun(): boolean {
    return false
  }

  abstract onFirst(backend: Backend): Promise<T>
  abstract inOutage(outage: Outage): Promise<T>
}
