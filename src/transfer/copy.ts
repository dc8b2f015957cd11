import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Checkpoint,
  JobRequest,
  TransferBatch,
  TransferJob,
  TransferSource,
  TransferTarget,
} from '../contract/transfer.js'
import type { Quarantined, TransferPlan, TransferProgress } from '../contract/transfer-plan.js'
import { ConnectionError, TimeoutError } from '../errors.js'
import { keyOf } from './keys.js'
import { Normaliser } from './normalise.js'
import { Quarantine } from './quarantine.js'

export interface Copying {
  readonly source: TransferSource
  readonly target: TransferTarget
  readonly plan: TransferPlan
  readonly request: JobRequest
  /** The source is written to meanwhile: what names something that came later, or went, is told of afterwards. */
  readonly online: boolean
  readonly quarantineLimit: number
  readonly quarantineFile: string | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: TransferProgress) => void) | undefined
}

export interface Copied {
  readonly job: TransferJob
  readonly copied: Readonly<Record<string, number>>
  readonly present: number
  readonly quarantined: readonly Quarantined[]
  readonly quarantinedCount: number
  readonly interrupted: boolean
  readonly recovered: number
}

/** Milliseconds between attempts to reach a target that went away: about a minute together. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 15_000, 30_000]

const NOTHING: Checkpoint = { range: 0, cursor: null, counts: {}, present: 0, quarantined: 0, state: null }

/** Copies range by range, batch by batch; one batch is read while the one before is written. */
export class Copier {
  #checkpoint: Checkpoint = NOTHING
  #bytes = 0
  #recovered = 0
  readonly #normaliser: Normaliser
  readonly #total: number

  constructor(readonly options: Copying) {
    this.#normaliser = new Normaliser(options.plan)
    this.#total = options.plan.ranges.reduce((sum, range) => sum + range.records, 0)
  }

  async run(): Promise<Copied> {
    const { quarantineLimit, quarantineFile } = this.options
    let job = await this.#begin()
    const quarantine = new Quarantine(quarantineLimit, quarantineFile, this.#checkpoint.quarantined)
    try {
      for (let attempt = 0; ; attempt++) {
        const before = this.#checkpoint
        try {
          await this.#ranges(job, quarantine)
          return this.#result(job, quarantine)
        } catch (error) {
          if (this.#checkpoint !== before) attempt = 0
          job = await this.#recover(error, attempt, job)
        }
      }
    } finally {
      quarantine.close()
    }
  }

  async #begin(): Promise<TransferJob> {
    const job = await this.options.target.begin(this.options.request)
    this.#checkpoint = job.checkpoint ?? NOTHING
    return job
  }

  /** The target went away: what it has is told by its own checkpoint. */
  async #recover(error: unknown, attempt: number, left: TransferJob): Promise<TransferJob> {
    const pause = PAUSES[attempt]
    const away = (error instanceof ConnectionError || error instanceof TimeoutError) && error.retryable
    if (!away || pause === undefined || this.options.signal?.aborted) {
      // Whoever goes on need not wait until this run counts as dead.
      await left.release().catch(() => undefined)
      throw error
    }
    await sleep(pause)
    try {
      const job = await this.#begin()
      this.#recovered++
      return job
    } catch (again) {
      return this.#recover(again, attempt + 1, left)
    }
  }

  async #ranges(job: TransferJob, quarantine: Quarantine): Promise<void> {
    const { plan, source, signal } = this.options
    for (let i = this.#checkpoint.range; i < plan.ranges.length; i++) {
      const range = plan.ranges[i] as TransferPlan['ranges'][number]
      const after = i === this.#checkpoint.range ? this.#checkpoint.cursor : null
      // Tables keep whose a vector is beside it.
      const holders = plan.to.tables === undefined || plan.vectors === 'carried'
      const read = { after, limits: plan.limits, tenantId: plan.scope.tenantId, holders }
      const batches = source.read(range, read)[Symbol.asyncIterator]()
      try {
        let next = await batches.next()
        while (!next.done) {
          if (signal?.aborted) return
          const { promise: sent, resolve } = handed()
          const writing = this.#write(job, i, next.value, quarantine, resolve)
          // Its failure is met below, when the batch behind it has been read.
          writing.catch(() => undefined)
          // Reading keeps this process busy: it is done while the store has something to do.
          await Promise.race([sent, writing.catch(() => undefined)])
          const following = batches.next()
          following.catch(() => undefined)
          await writing
          next = await following
        }
      } finally {
        await batches.return?.()
      }
      if (signal?.aborted) return
    }
  }

  async #write(
    job: TransferJob,
    range: number,
    batch: TransferBatch,
    quarantine: Quarantine,
    sent: () => void,
  ): Promise<void> {
    const { records, faults, faulty } = this.#normaliser.take(batch.records)
    const made = records.length - (batch.records.length - faulty.length)
    const before = this.#checkpoint
    let set: readonly Quarantined[] = []
    let kept: Checkpoint = before
    const outcome = await job.write(
      records,
      ({ present, refused: all, state = null }) => {
        const refused = this.options.online ? [] : all
        set = [
          ...faults,
          ...refused.map(({ index, reason }) => ({ ...keyOf(records[index] as (typeof records)[number]), reason })),
        ]
        quarantine.check(set)
        const kind = batch.records[0]?.kind ?? ''
        const copied = batch.records.length - set.length
        const counts = { ...before.counts, [kind]: (before.counts[kind] ?? 0) + copied }
        kept = {
          range,
          cursor: batch.cursor,
          counts,
          // Those made here are there for the batches behind the first one.
          present: before.present + Math.max(0, present - made),
          quarantined: before.quarantined + set.length,
          state,
        }
        return kept
      },
      sent,
    )
    this.#checkpoint = kept
    this.#bytes += batch.bytes
    const refused = this.options.online ? [] : outcome.refused
    quarantine.add(set, [...faulty, ...refused.map(({ index }) => records[index] as (typeof records)[number])])
    this.#tell()
  }

  #tell(): void {
    const done = Object.values(this.#checkpoint.counts).reduce((sum, n) => sum + n, 0) + this.#checkpoint.quarantined
    this.options.onProgress?.({ phase: 'copy', records: done, total: this.#total, bytes: this.#bytes })
  }

  #result(job: TransferJob, quarantine: Quarantine): Copied {
    const { counts, present } = this.#checkpoint
    const interrupted = this.options.signal?.aborted === true
    const told = { quarantined: quarantine.told, quarantinedCount: quarantine.count }
    return { job, copied: counts, present, interrupted, recovered: this.#recovered, ...told }
  }
}

function handed(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
