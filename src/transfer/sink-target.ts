import type { EmbeddingSpace } from '../contract/embedder.js'
import type {
  Carried,
  Checkpoint,
  JobRequest,
  TransferJob,
  TransferScope,
  TransferSide,
  TransferSink,
  TransferTarget,
  UnfinishedJob,
  WriteOutcome,
} from '../contract/transfer.js'
import type { JobFile, KeptJob } from './job-file.js'

/** A sink that may take the space of the vectors that will come, before it is opened. */
export interface AdoptingSink extends TransferSink {
  adopt?(space: EmbeddingSpace | null): void | Promise<void>
}

/** Makes a target of a sink: its job is kept beside it, each checkpoint once the records that it tells of are stored. */
export const sinkTarget = (sink: AdoptingSink, jobs: JobFile): TransferTarget => new SinkTarget(sink, jobs)

class SinkTarget implements TransferTarget {
  constructor(
    readonly sink: AdoptingSink,
    readonly jobs: JobFile,
  ) {}

  describe(): Promise<TransferSide> {
    return this.sink.describe()
  }

  count(scope: TransferScope): Promise<number> {
    return this.sink.count(scope)
  }

  async begin(request: JobRequest): Promise<TransferJob> {
    const job = await this.jobs.begin(await this.#place(), request)
    try {
      await this.sink.adopt?.(request.space)
      await this.sink.open(job.checkpoint?.state ?? null)
    } catch (error) {
      // A job that never began must not stand in the way of another; one that did waits for its next run.
      await (job.isNew ? job.abandon() : job.release()).catch(() => {})
      throw error
    }
    return new SinkJob(this.sink, job)
  }

  async unfinished(): Promise<UnfinishedJob | null> {
    return this.jobs.unfinished(await this.#place())
  }

  async abandon(): Promise<void> {
    await this.jobs.abandon(await this.#place())
  }

  close(): Promise<void> {
    return this.sink.close()
  }

  async #place(): Promise<string> {
    const { backend, place } = await this.sink.describe()
    return `${backend} ${place}`
  }
}

class SinkJob implements TransferJob {
  readonly checkpoint: Checkpoint | null
  readonly epoch: number

  constructor(
    readonly sink: TransferSink,
    readonly job: KeptJob,
  ) {
    this.checkpoint = job.checkpoint
    this.epoch = job.epoch
  }

  async write(
    records: readonly Carried[],
    checkpoint: (outcome: WriteOutcome) => Checkpoint,
    sent?: () => void,
  ): Promise<WriteOutcome> {
    sent?.()
    await this.job.check()
    const outcome = await this.sink.write(records)
    const next = checkpoint(outcome)
    await this.job.save({ ...next, state: outcome.state ?? next.state })
    return outcome
  }

  async finish(): Promise<void> {
    // For another while: what is left to the end may take long.
    await this.job.save(this.job.checkpoint)
    await this.sink.finish()
  }

  complete(): Promise<void> {
    return this.job.complete()
  }

  release(): Promise<void> {
    return this.job.release()
  }
}
