/** A clock that stands still until it is told to go on, so that expiry is tested without sleeping. */
export interface ManualClock {
  /** Milliseconds since the epoch; handed in as `options.clock`. */
  readonly now: () => number
  advance(ms: number): void
  set(ms: number): void
  /** The instant that lies `ms` after now. */
  date(ms?: number): Date
}

/**
 * Far enough ahead of the real time that a server which expires keys by its own clock never does so during a test:
 * only the backend's clock decides.
 */
export const START = Date.UTC(2040, 0, 1, 12, 0, 0, 123)

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export function manualClock(start: number = START): ManualClock {
  let time = start
  return {
    now: () => time,
    advance(ms) {
      time += ms
    },
    set(ms) {
      time = ms
    },
    date: (ms = 0) => new Date(time + ms),
  }
}
