import type { TransferJob, TransferTarget } from '../../../src/contract/transfer.js'

/** Where a transfer is killed, in the order in which it comes to them. */
export const STEPS = [
  'before begin',
  'begun',
  'before write',
  'in write',
  'written',
  'before finish',
  'finished',
  'before complete',
  'completed',
] as const
export type Step = (typeof STEPS)[number]

/** A step, and at which of its times. */
export interface Death {
  readonly step: Step
  readonly after: number
}

/** The whole process, at once: nothing of this turn is done any more. */
function die(): never {
  process.kill(process.pid, 'SIGKILL')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** The same target, whose process is killed when it comes to a step. */
export function dying(target: TransferTarget, { step, after }: Death): TransferTarget {
  let left = after
  const reach = (here: Step): void => {
    if (here === step && --left <= 0) die()
  }
  async function between<T>(before: Step, then: Step, work: () => Promise<T>): Promise<T> {
    reach(before)
    const answer = await work()
    reach(then)
    return answer
  }
  const dyingJob = (job: TransferJob): TransferJob => ({
    checkpoint: job.checkpoint,
    epoch: job.epoch,
    write: (records, checkpoint) =>
      between('before write', 'written', () =>
        job.write(records, (outcome) => {
          // The records are there, and their checkpoint is not.
          reach('in write')
          return checkpoint(outcome)
        }),
      ),
    finish: () => between('before finish', 'finished', () => job.finish()),
    complete: () => between('before complete', 'completed', () => job.complete()),
    release: () => job.release(),
  })
  return {
    describe: () => target.describe(),
    count: (scope) => target.count(scope),
    begin: async (request) => dyingJob(await between('before begin', 'begun', () => target.begin(request))),
    unfinished: () => target.unfinished(),
    abandon: () => target.abandon(),
    close: () => target.close(),
  }
}
