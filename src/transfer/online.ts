import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { EmbeddingSpace } from '../contract/embedder.js'
import { LOOK, type TransferCapture } from '../contract/online.js'
import type { TransferJob, TransferSource } from '../contract/transfer.js'
import type {
  OnlineReport,
  OnlineWishes,
  TransferDifference,
  TransferPlan,
  TransferVerification,
} from '../contract/transfer-plan.js'
import { ConflictError, StorageError, TimeoutError, UnsupportedError } from '../errors.js'
import { CatchUp } from './catch-up.js'
import { answered, drain, Unanswered } from './pause.js'
import { changedKey, stillDiffering } from './recheck.js'
import { type Ends, type Means, runTransfer } from './run.js'
import { ATTEMPTS, type BackEnds, backRequest } from './switch-back.js'
import { Verifier } from './verify.js'

/** Both ends of a move while the source is in use. */
export interface OnlineEnds extends Ends, BackEnds {
  /** Asks both sides the same; throws where they answer differently. */
  readonly probe?: ((source: TransferSource, catchUp: () => Promise<unknown>) => Promise<number>) | undefined
}

const ROUNDS = 10

/** Moves a store while it is in use: copies it, keeps the copy up, compares both, and has it take the place. */
export class OnlineMove {
  #verified: TransferVerification | null = null
  #suspects: readonly TransferDifference[] = []
  #applied = 0
  #pause = 0
  #attempts = 0
  #probes = 0
  #moved = false
  #soaked = 0

  constructor(
    readonly ends: OnlineEnds,
    readonly wishes: OnlineWishes,
    readonly means: Means,
  ) {}

  async run(): Promise<OnlineReport> {
    const { ends, wishes, means } = this
    const { backend, place } = await ends.target.describe()
    if (!ends.target.isKeptUp)
      throw new UnsupportedError(
        'transfer',
        `${backend} cannot be kept up with a store in use: use sqlite or postgresql`,
      )
    const before = await ends.capture.move()
    if (before?.phase === 'moved' && wishes.resume && !wishes.dryRun) return this.#goOn()
    if (before?.phase === 'moved') throw new ConflictError(`this memory has been moved to ${before.place} already`)
    if (before && !wishes.resume && !wishes.dryRun)
      throw new ConflictError(
        'a move of this memory is not through: go on with it (--resume), or give it up (--abandon)',
      )
    if (!wishes.dryRun) {
      await ends.capture.begin(place)
      await ends.capture.noteOperations()
    }
    const wanted = { ...wishes, online: true, verify: false, merge: false }
    const report = await runTransfer(ends, wanted, means, (job, plan) => this.#follow(job, plan)).catch((error) =>
      this.#failed(error, before !== null),
    )
    if (this.#moved) await this.#soak()
    return { ...report, verified: this.#verified, online: this.#told }
  }

  /** A move that never began leaves nothing behind. */
  async #failed(error: unknown, goesOn: boolean): Promise<never> {
    const { capture, target } = this.ends
    const began = goesOn || this.wishes.dryRun || (await target.unfinished().catch(() => true)) !== null
    if (!began) await capture.end().catch(() => undefined)
    throw error
  }

  get #told() {
    return {
      applied: this.#applied,
      pause: this.#pause,
      attempts: this.#attempts,
      probes: this.#probes,
      moved: this.#moved,
      soaked: this.#soaked,
    }
  }

  #tell(phase: 'catch-up' | 'probe' | 'switch' | 'soak'): void {
    this.wishes.onProgress?.({ phase, records: this.#applied, total: this.#applied, bytes: 0 })
  }

  async #follow(job: TransferJob, plan: TransferPlan): Promise<boolean> {
    const { capture } = this.ends
    const catchUp = new CatchUp(capture, job, this.wishes.signal)
    try {
      this.#tell('catch-up')
      if (!(await catchUp.run())) return false
      if (!(await this.#compare(catchUp, plan))) return false
      this.#tell('probe')
      this.#probes = (await this.ends.probe?.(this.ends.source, () => catchUp.run())) ?? 0
      this.#moved = await this.#switch(catchUp, plan)
      return this.#moved
    } finally {
      this.#applied += catchUp.applied
    }
  }

  /** Compares everything, and what differs again and again until it was only being written. */
  async #compare(catchUp: CatchUp, plan: TransferPlan): Promise<boolean> {
    const { source, capture } = this.ends
    const target = await this.ends.targetSource()
    const { signal, onProgress } = this.wishes
    const { scope, vectors } = plan
    try {
      const verifying = { source, target, scope, vectors, extrasAllowed: false, signal, onProgress }
      const verified = await new Verifier(verifying).run()
      if (verified.different > verified.differences.length)
        throw new StorageError(`${verified.different} records differ: more than can be looked at one by one`)
      let suspects: readonly TransferDifference[] = verified.differences
      for (let round = 0; round < ROUNDS && suspects.length > 0; round++) {
        // What the target has too many was not written by this move: it is not removed.
        await capture.note(suspects.filter(({ what }) => what !== 'extra').map(changedKey))
        if (!(await catchUp.run())) return false
        suspects = await stillDiffering(source, target, suspects, vectors === 'carried' ? 'exact' : 'none')
      }
      this.#suspects = suspects
      this.#verified = { ...verified, equal: true, differences: [], different: 0 }
      return true
    } catch (error) {
      if (signal?.aborted) return false
      throw error
    } finally {
      await target.close()
    }
  }

  /** Writers wait while the last of what was written is brought over. */
  async #switch(catchUp: CatchUp, plan: TransferPlan): Promise<boolean> {
    const { capture } = this.ends
    this.#tell('switch')
    await capture.phase('closing')
    const until = performance.now() + 3 * LOOK
    const back = this.wishes.soak ? await this.ends.back() : null
    const target = await this.ends.targetSource()
    try {
      await back?.begin(plan.from.place)
      // Whoever reads has seen by then that it is about to move.
      while (performance.now() < until && (await catchUp.run())) await sleep(20)
      for (this.#attempts = 1; this.#attempts <= ATTEMPTS; this.#attempts++) {
        if (!(await catchUp.run())) break
        if (await this.#once(catchUp, { target, back, plan })) return true
        await sleep(50 * (1 + (this.#attempts % 5)))
      }
      if (!this.wishes.signal?.aborted)
        throw new TimeoutError(
          'writers never let it begin, or wrote more than could be brought over: nothing was switched',
        )
    } catch (error) {
      await this.#open(back)
      throw error
    } finally {
      await back?.close()
      await target.close()
    }
    const again = this.wishes.soak ? await this.ends.back() : null
    await this.#open(again)
    await again?.close()
    return false
  }

  /** Nobody need look any more. */
  async #open(back: TransferCapture | null): Promise<void> {
    await back?.end().catch(() => undefined)
    await this.ends.capture.phase('following').catch(() => undefined)
  }

  async #once(
    catchUp: CatchUp,
    { target, back, plan }: { target: TransferSource; back: TransferCapture | null; plan: TransferPlan },
  ): Promise<boolean> {
    const { capture, source } = this.ends
    const began = performance.now()
    const rule = plan.vectors === 'carried' ? 'exact' : 'none'
    const tail: TransferDifference[] = [...this.#suspects]
    try {
      await capture.alone(async () => {
        await answered(async () => {
          await drain(catchUp, began, (key) => tail.push({ ...key, what: 'different', fields: [] }))
          const differing = await stillDiffering(source, target, tail, rule)
          if (differing.length > 0) throw differs(differing)
          await back?.clear()
        })
        if (!isSpace(await capture.space(), plan.from.space))
          throw new ConflictError(
            'the space of vectors is another one than when the move began: give it up (--abandon), and begin again',
          )
        await capture.moved()
      })
      this.#pause = performance.now() - began
      return true
    } catch (error) {
      // Where the connection was lost while it was committed, it may have been.
      if ((await capture.move().catch(() => null))?.phase === 'moved') return true
      if (error instanceof TimeoutError && !(error instanceof Unanswered)) return false
      throw error
    }
  }

  /** Goes on with a move that was switched, and stopped behind it. */
  async #goOn(): Promise<OnlineReport> {
    const { target } = this.ends
    const left = await target.unfinished()
    if (left) await (await target.begin({ ...backRequest(this.means.owner), ...left })).complete()
    await this.#soak()
    const wanted = { ...this.wishes, dryRun: true, onPlan: undefined, online: true }
    const report = await runTransfer(this.ends, wanted, this.means)
    return { ...report, resumed: true, complete: true, online: { ...this.#told, moved: true } }
  }

  /** Keeps the old store up with what is written to the new one. */
  async #soak(): Promise<void> {
    const { soak, signal } = this.wishes
    if (!soak) return
    this.#tell('soak')
    const until = performance.now() + soak
    const back = await this.ends.back()
    const old = await this.ends.old()
    try {
      const job = await old.begin(backRequest(this.means.owner))
      const catchUp = new CatchUp(back, job)
      while (performance.now() < until && !signal?.aborted) {
        await catchUp.run()
        await sleep(50)
      }
      this.#soaked = catchUp.applied
      // Stopped: it can be gone on with, or switched back.
      if (signal?.aborted) return await job.release()
      await catchUp.run()
      await job.complete()
      await back.end()
      await this.ends.capture.clear()
    } finally {
      await back.close()
      await old.close()
    }
  }
}

const isSpace = (now: EmbeddingSpace | null, then: EmbeddingSpace | null): boolean => isDeepStrictEqual(now, then)

function differs(differences: readonly TransferDifference[]): StorageError {
  const names = differences
    .slice(0, 5)
    .map(({ kind, tenantId, scope, id, what }) => `${kind} ${JSON.stringify([tenantId, scope, id])} ${what}`)
  return new StorageError(`${differences.length} records differ, nothing was switched: ${names.join('; ')}`)
}
