import { AsyncLocalStorage } from 'node:async_hooks'

interface Instant {
  at: number | null
}
const instants = new AsyncLocalStorage<Instant>()

/** A clock that shows the time of an entry while the entry is handed back: its records keep their times. */
export const replayable = (clock: () => number) => (): number => instants.getStore()?.at ?? clock()

export async function atInstant<T>(at: Date, work: () => Promise<T>): Promise<T> {
  const instant: Instant = { at: at.getTime() }
  try {
    return await instants.run(instant, work)
  } finally {
    // A timer that was set meanwhile keeps this context for good: from now on it shows the time as it is.
    instant.at = null
  }
}
