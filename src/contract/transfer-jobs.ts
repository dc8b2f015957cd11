import type { JobRequest, TransferJob, TransferTarget } from './transfer.js'

/** A job as it is kept outside of its target. */
export interface KeptJob extends Pick<TransferJob, 'checkpoint' | 'epoch' | 'save' | 'complete' | 'release'> {
  /**
   * Asked before records are written; renews the lease.
   *
   * @throws ConflictError where another run owns the job by now.
   */
  check(): Promise<void>
}

/** Where jobs of one target are kept that has no transactions: checkpoints are saved behind what they tell of. */
export interface JobStore extends Pick<TransferTarget, 'unfinished'> {
  /** As `TransferTarget.begin`. */
  begin(request: JobRequest): Promise<KeptJob>
}
