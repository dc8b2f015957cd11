import type { RecordKey } from '../contract/transfer-plan.js'
import { TimeoutError } from '../errors.js'
import type { CatchUp } from './catch-up.js'

/** Milliseconds that writers may wait while much is left; who takes longer lets them write, and tries again. */
const MAX_PAUSE = 700
/** Milliseconds that they wait for an answer at all. */
const MAX_SILENCE = 3000

/** A store that says nothing: whether it has what it was told is not known, and it is not asked again. */
export class Unanswered extends TimeoutError {}

/**
 * Does what other stores are asked for while writers wait. What was begun and not answered goes on by itself: nothing may
 * come behind it that must not be done without the lock.
 *
 * @throws Unanswered where it takes too long.
 */
export async function answered(work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Unanswered('the other store did not answer while writers waited: nothing was switched')),
      MAX_SILENCE,
    )
  })
  try {
    await Promise.race([work(), silence])
  } finally {
    clearTimeout(timer)
  }
}

/** Brings over all that is left. */
export async function drain(catchUp: CatchUp, began: number, brought: (key: RecordKey) => void): Promise<void> {
  for (;;) {
    const changes = await catchUp.some()
    if (changes.length === 0) return
    if (performance.now() - began > MAX_PAUSE) throw new TimeoutError('too much is left')
    for (const { kind, tenantId, scope, recordId: id } of changes)
      if (kind !== 'operation') brought({ kind, tenantId, scope, id })
  }
}
