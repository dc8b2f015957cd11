import { setTimeout as sleep } from 'node:timers/promises'
import { LOOK, type TransferCapture } from '../contract/online.js'
import type { JobRequest, TransferTarget } from '../contract/transfer.js'
import { ConflictError, TimeoutError } from '../errors.js'
import { CatchUp } from './catch-up.js'
import { answered, drain, Unanswered } from './pause.js'
import type { Means } from './run.js'

export const ATTEMPTS = 50
const LEASE = 30_000

/** Two stores that have changed places. */
export interface BackEnds {
  readonly capture: TransferCapture
  /** Notes what is written to the target, once it has taken the source's place. */
  readonly back: () => Promise<TransferCapture>
  /** The source, to be written to. */
  readonly old: () => Promise<TransferTarget>
}

export const backRequest = (owner: string): JobRequest => ({
  id: 'the way back',
  plan: 'the way back',
  owner,
  lease: LEASE,
  force: true,
  bulk: false,
  // The other store may have made its search text in another way.
  texts: false,
  space: null,
})

/** Nothing is noted any more; what was copied stays where it is. */
export async function abandonMove(capture: TransferCapture): Promise<void> {
  const move = await capture.move()
  if (move?.phase === 'moved')
    throw new ConflictError(`this memory has been moved to ${move.place} already: have it moved back (--switch-back)`)
  await capture.end()
}

/** Has the old store take its place again, with all that was written since. */
export async function switchBack(
  { capture, back, old }: BackEnds,
  means: Pick<Means, 'owner'>,
): Promise<{ readonly pause: number; readonly applied: number }> {
  const move = await capture.move()
  if (move?.phase !== 'moved') throw new ConflictError('nothing was switched, or it was switched back')
  const noted = await back()
  const target = await old()
  try {
    const following = await noted.move()
    if (!following)
      throw new ConflictError('the new store was not followed (--soak): it cannot be switched back, but transferred')
    const job = await target.begin(backRequest(means.owner))
    const catchUp = new CatchUp(noted, job)
    let pause = 0
    if (following.phase !== 'moved') {
      await noted.phase('closing')
      // Whoever reads has seen by then that it is about to move.
      await sleep(3 * LOOK)
    }
    for (let attempt = 0; following.phase !== 'moved'; attempt++) {
      await catchUp.run()
      const began = performance.now()
      try {
        await noted.alone(async () => {
          await answered(() => drain(catchUp, began, () => undefined))
          await noted.moved()
        })
        pause = performance.now() - began
        break
      } catch (error) {
        if (!(error instanceof TimeoutError) || error instanceof Unanswered || attempt >= ATTEMPTS) throw error
        await sleep(50 * (1 + (attempt % 5)))
      }
    }
    await job.complete()
    await capture.end()
    return { pause, applied: catchUp.applied }
  } finally {
    await noted.close()
    await target.close()
  }
}
