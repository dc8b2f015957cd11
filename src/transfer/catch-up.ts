import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, TransferCapture } from '../contract/online.js'
import type { TransferJob } from '../contract/transfer.js'
import { ConnectionError, StorageError, TimeoutError, UnsupportedError } from '../errors.js'
import { keyOf } from './keys.js'

const BATCH = 500
/** Milliseconds between attempts to reach a store that went away: about a minute together. */
const PAUSES = [200, 500, 1000, 2000, 4000, 8000, 15_000, 30_000]

/** Brings what was noted in one store to another one, as it is now. */
export class CatchUp {
  /** How many records were brought. */
  applied = 0

  constructor(
    readonly capture: TransferCapture,
    readonly job: TransferJob,
    readonly signal?: AbortSignal | undefined,
  ) {}

  /** Brings some, once they are stored forgets them, and answers which. */
  async some(): Promise<readonly Change[]> {
    const { capture, job } = this
    const changes = await capture.changes(BATCH)
    if (changes.length === 0) return changes
    const present = await capture.present(changes)
    const faulty = present.records.find(({ fault }) => fault !== undefined)
    if (faulty) {
      const { kind, tenantId, scope, id } = keyOf(faulty)
      throw new StorageError(
        `the ${kind} ${JSON.stringify([tenantId, scope, id])} cannot be carried (${faulty.fault}): mend or remove it`,
      )
    }
    if (!job.apply) throw new UnsupportedError('transfer', 'this store cannot be kept up with another one')
    await job.apply(present)
    await capture.done(changes)
    this.applied += changes.length
    return changes
  }

  /** Until little or nothing is left, however often one of the stores goes away for a while. Answers false where it was stopped. */
  async run(): Promise<boolean> {
    for (let attempt = 0; !this.signal?.aborted; ) {
      try {
        if ((await this.some()).length < BATCH) return true
        attempt = 0
      } catch (error) {
        const away = (error instanceof ConnectionError || error instanceof TimeoutError) && error.retryable
        const pause = PAUSES[attempt++]
        if (!away || pause === undefined) throw error
        await sleep(pause)
      }
    }
    return false
  }
}
