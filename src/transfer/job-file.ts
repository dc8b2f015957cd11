import type { Checkpoint, JobRequest, UnfinishedJob } from '../contract/transfer.js'
import { ConflictError } from '../errors.js'
import { JobDisk, type NumberedJob, type StoredJob } from './job-disk.js'

export interface JobFileOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Whether an owner is known to be gone, though its lease is not over. */
  readonly isDead?: ((owner: string) => boolean) | undefined
}

const fenced = (): ConflictError =>
  new ConflictError('another run of this transfer has taken it over: this one has ended, and lost nothing')

/**
 * Jobs of targets that keep none, in small files in a folder on a disk of this machine: one unfinished job for each
 * target. A target is named by its place, in words of whoever asks.
 */
export class JobFile {
  constructor(
    readonly folder: string,
    readonly options: JobFileOptions,
  ) {}

  async unfinished(place: string): Promise<UnfinishedJob | null> {
    const latest = await this.#disk(place).latest()
    return latest?.job.state === 'running' ? { id: latest.job.id, plan: latest.job.plan } : null
  }

  /**
   * Takes a job, a new one or one that was left.
   *
   * @throws ConflictError where another run owns it, another job is unfinished, or its plan is another one.
   */
  async begin(place: string, request: JobRequest): Promise<KeptJob> {
    const disk = this.#disk(place)
    for (;;) {
      const latest = await disk.latest()
      const left = latest?.job.state === 'running' ? latest.job : null
      if (left) this.#check(left, request)
      const { id, plan, owner, lease } = request
      const until = this.options.clock() + lease
      const job: StoredJob = {
        place,
        id,
        plan,
        state: 'running',
        owner,
        until,
        checkpoint: left?.checkpoint ?? null,
      }
      const taken: NumberedJob = { epoch: (latest?.epoch ?? 0) + 1, job }
      // Where another run was faster, it is looked at like any other.
      if (await disk.claim(taken)) return new KeptJob(disk, this.options, { ...taken, lease, isNew: left === null })
    }
  }

  #check(left: StoredJob, request: JobRequest): void {
    const { clock, isDead } = this.options
    if (left.id !== request.id)
      throw new ConflictError(
        'another transfer into this store is not through: go on with it (--resume) or give it up (--abandon)',
      )
    if (left.plan !== request.plan) throw new ConflictError('the job that is stored there has another plan')
    const { owner, until } = left
    if (owner === null || owner === request.owner || until <= clock()) return
    if (request.force || isDead?.(owner)) return
    throw new ConflictError(
      `another run is at work on this transfer (${owner}, until ${new Date(until).toISOString()}): wait for it, or take it over with --force`,
    )
  }

  /** Forgets an unfinished job; a run that is still at work on it ends with its next write. */
  async abandon(place: string): Promise<void> {
    const disk = this.#disk(place)
    for (;;) {
      const latest = await disk.latest()
      if (latest?.job.state !== 'running') return
      if (await disk.claim({ epoch: latest.epoch + 1, job: ended(latest.job, 'abandoned') })) return
    }
  }

  #disk(place: string): JobDisk {
    return new JobDisk(this.folder, place)
  }
}

/** What is left of a job that has ended: epochs go on counting, so that a run that wakes up late is known as such. */
const ended = (job: StoredJob, state: 'complete' | 'abandoned'): StoredJob => ({
  ...job,
  state,
  plan: '',
  owner: null,
  until: 0,
  checkpoint: null,
})

interface Taken extends NumberedJob {
  readonly lease: number
  /** Nothing was left of an earlier run. */
  readonly isNew: boolean
}

/** A job that a run owns, until another run takes it. */
export class KeptJob {
  readonly #disk: JobDisk
  readonly #options: JobFileOptions
  readonly #taken: Taken
  #job: StoredJob
  #failure: unknown = null

  constructor(disk: JobDisk, options: JobFileOptions, taken: Taken) {
    this.#disk = disk
    this.#options = options
    this.#taken = taken
    this.#job = taken.job
  }

  get epoch(): number {
    return this.#taken.epoch
  }

  get isNew(): boolean {
    return this.#taken.isNew
  }

  get checkpoint(): Checkpoint | null {
    return this.#job.checkpoint
  }

  /** @throws ConflictError where another run owns the job by now. */
  async check(): Promise<void> {
    // What was written behind the kept checkpoint would be written twice.
    if (this.#failure) throw this.#failure
    if (this.#job.state !== 'running') throw new ConflictError('this job has ended')
    if ((await this.#disk.epoch()) !== this.epoch) throw fenced()
  }

  /** Keeps a checkpoint, and the job for another while. Where that fails the one before stays, and this run has ended. */
  async save(checkpoint: Checkpoint | null): Promise<void> {
    const until = this.#options.clock() + this.#taken.lease
    await this.#replace({ ...this.#job, until, checkpoint })
  }

  async complete(): Promise<void> {
    await this.#replace(ended(this.#job, 'complete'))
  }

  async abandon(): Promise<void> {
    await this.#replace(ended(this.#job, 'abandoned'))
  }

  /** Lets another run go on at once; one that has it already is not disturbed. */
  async release(): Promise<void> {
    if (this.#job.state !== 'running' || (await this.#disk.epoch()) !== this.epoch) return
    await this.#disk.replace({ epoch: this.epoch, job: { ...this.#job, owner: null, until: 0 } })
  }

  async #replace(job: StoredJob): Promise<void> {
    await this.check()
    try {
      await this.#disk.replace({ epoch: this.epoch, job })
    } catch (error) {
      // The file that was being written is gone where a later owner has tidied up.
      this.#failure = (await this.#disk.epoch().catch(() => 0)) > this.epoch ? fenced() : error
      throw this.#failure
    }
    this.#job = job
  }
}
