import type { TransferJob, TransferSource, TransferTarget } from '../contract/transfer.js'
import type { TransferPlan, TransferReport, TransferVerification, TransferWishes } from '../contract/transfer-plan.js'
import { ConflictError, StorageError } from '../errors.js'
import { type Copied, Copier } from './copy.js'
import { checkPlan, makePlan, outlookOf } from './plan.js'
import { Verifier } from './verify.js'

/** Both ends, open. */
export interface Ends {
  readonly source: TransferSource
  readonly target: TransferTarget
  /** Opens the target for reading, to compare it. */
  readonly targetSource: () => Promise<TransferSource>
}

export interface Means {
  readonly clock: () => number
  readonly newId: () => string
  readonly owner: string
}

const LEASE = 30_000

/** What is done between the copy and the end of its job; false: it was stopped. */
export type Follow = (job: TransferJob, plan: TransferPlan) => Promise<boolean>

/** Plans, copies and verifies. */
export async function runTransfer(
  ends: Ends,
  wishes: TransferWishes,
  means: Means,
  follow?: Follow,
): Promise<TransferReport> {
  return new Run(ends, wishes, means, follow).run()
}

class Run {
  readonly #started: number
  constructor(
    readonly ends: Ends,
    readonly wishes: TransferWishes,
    readonly means: Means,
    readonly follow?: Follow | undefined,
  ) {
    this.#started = means.clock()
  }

  async run(): Promise<TransferReport> {
    const { wishes } = this
    const left = wishes.verifyOnly || wishes.dryRun ? null : await this.#left()
    const plan = left ?? (await this.#plan())
    wishes.onPlan?.(plan, outlookOf(plan))
    if (wishes.dryRun) return this.#report(plan, null, null, false)
    const copied = wishes.verifyOnly ? null : await this.#copy(plan)
    if (copied?.interrupted) return this.#report(plan, copied, null, left !== null)
    const { source } = this.ends
    const changed = !wishes.verifyOnly && !wishes.online && (await source.fingerprint(plan.scope)) !== plan.fingerprint
    const verified = wishes.verify === false ? null : await this.#compared(plan)
    const report = { ...this.#report(plan, copied, verified, left !== null), sourceChanged: changed }
    return { ...report, interrupted: verified === null && wishes.signal?.aborted === true }
  }

  async #plan(): Promise<TransferPlan> {
    const { source, target } = this.ends
    const wishes = this.wishes.verifyOnly ? { ...this.wishes, merge: true } : this.wishes
    return makePlan(source, target, wishes, this.means.newId)
  }

  /** The plan of the job that was stopped. */
  async #left(): Promise<TransferPlan | null> {
    const { source, target } = this.ends
    const unfinished = await target.unfinished()
    if (!unfinished) return null
    if (!this.wishes.resume)
      throw new ConflictError(
        'a transfer into this target is not through: go on with it (--resume), or give it up (--abandon)',
      )
    const plan = planOf(unfinished.plan)
    await checkPlan(plan, source, this.wishes)
    return plan
  }

  async #copy(plan: TransferPlan): Promise<Copied> {
    const { wishes, means } = this
    const request = {
      id: plan.id,
      plan: JSON.stringify(plan),
      owner: means.owner,
      lease: wishes.lease ?? LEASE,
      force: wishes.force,
      bulk: plan.bulk,
      texts: plan.from.tables !== undefined && plan.from.tables === plan.to.tables,
      space: plan.vectors === 'carried' ? plan.from.space : null,
    }
    const { quarantineLimit = 0, quarantineFile, signal, onProgress } = wishes
    const copied = await new Copier({
      source: this.ends.source,
      target: this.ends.target,
      plan,
      request,
      online: wishes.online === true,
      quarantineLimit,
      quarantineFile,
      signal,
      onProgress,
    }).run()
    const total = plan.ranges.reduce((sum, { records }) => sum + records, 0)
    if (copied.interrupted) await copied.job.release()
    else {
      onProgress?.({ phase: 'finish', records: 0, total, bytes: 0 })
      if (!(await this.#finish(copied.job, plan))) return { ...copied, interrupted: true }
      onProgress?.({ phase: 'finish', records: total, total, bytes: 0 })
    }
    return copied
  }

  async #finish(job: TransferJob, plan: TransferPlan): Promise<boolean> {
    try {
      await job.finish()
      if (this.follow && !(await this.follow(job, plan))) {
        await job.release()
        return false
      }
      await job.complete()
      return true
    } catch (error) {
      await job.release().catch(() => undefined)
      throw error
    }
  }

  /** Null where it was stopped. */
  async #compared(plan: TransferPlan): Promise<TransferVerification | null> {
    try {
      return await this.#verify(plan)
    } catch (error) {
      if (this.wishes.signal?.aborted) return null
      throw error
    }
  }

  async #verify(plan: TransferPlan): Promise<TransferVerification> {
    const target = await this.ends.targetSource()
    try {
      const { scope, vectors } = plan
      const { signal, onProgress, verifyOnly, merge } = this.wishes
      // What was there before was let stay when it was planned.
      const extrasAllowed = verifyOnly ? merge === true : plan.present > 0
      const verifying = { source: this.ends.source, target, scope, vectors, extrasAllowed, signal, onProgress }
      return await new Verifier(verifying).run()
    } finally {
      await target.close()
    }
  }

  #report(
    plan: TransferPlan,
    copied: Copied | null,
    verified: TransferVerification | null,
    resumed: boolean,
  ): TransferReport {
    return {
      plan,
      copied: copied?.copied ?? {},
      present: copied?.present ?? 0,
      quarantined: copied?.quarantined ?? [],
      quarantinedCount: copied?.quarantinedCount ?? 0,
      interrupted: copied?.interrupted ?? false,
      complete: copied !== null && !copied.interrupted,
      resumed,
      sourceChanged: false,
      verified,
      recovered: copied?.recovered ?? 0,
      seconds: (this.means.clock() - this.#started) / 1000,
    }
  }
}

function planOf(text: string): TransferPlan {
  try {
    return JSON.parse(text) as TransferPlan
  } catch {
    throw new StorageError('the stored plan of the transfer cannot be read: give it up with --abandon')
  }
}
