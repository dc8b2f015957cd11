import type { ManualClock } from './clock.js'

const STEP = 20

/**
 * Waits until the condition holds, a few seconds at most; what then does not hold is the following assertion's to say.
 * The clock goes on as the time does, for a backend that counts by either.
 */
export async function eventually(clock: ManualClock, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 8000 && !(await holds()); waited += STEP) {
    await new Promise((resolve) => setTimeout(resolve, STEP))
    clock.advance(STEP)
  }
}
