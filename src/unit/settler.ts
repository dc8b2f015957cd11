import type { SettleReport } from '../contract/statistics.js'
import type { Logger } from '../contract/telemetry.js'
import { BrunoMemoryError, TimeoutError } from '../errors.js'

/** One batch of what has to be brought up, and how much of it is left. */
export interface Settling {
  /** Answers how many entries it dealt with. */
  pass(): Promise<number>
  report(): Promise<SettleReport>
}

/** Milliseconds between two looks for what other processes wrote. */
const POLL = 2000
/** A store that is back is told within that time. */
const LONGEST_DELAY = 5000

/** Brings followers up in the background, one batch after the other; a failure is waited out, longer each time. */
export class Settler {
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> | null = null
  #again = false
  #failures = 0
  #stopped = false
  #error: BrunoMemoryError | null = null

  constructor(
    readonly settling: Settling,
    readonly logger?: Logger | undefined,
    /** False: it works only when it is asked to. */
    readonly background = true,
  ) {}

  /** There may be work: it is looked for as soon as this turn of the event loop is over. */
  poke(): void {
    if (this.#stopped || !this.background || this.#failures > 0) return
    if (this.#running !== null) this.#again = true
    else this.#schedule(0)
  }

  #schedule(delay: number): void {
    if (this.#stopped || !this.background) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#start(), delay)
    // A process that is done is not kept alive: the next one finishes what is left.
    this.#timer.unref()
  }

  #start(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null
      const delay = this.#failures > 0 ? Math.min(LONGEST_DELAY, 500 * 2 ** this.#failures) : this.#again ? 0 : POLL
      this.#schedule(delay)
    })
    return this.#running
  }

  async #run(): Promise<void> {
    this.#again = false
    try {
      while (!this.#stopped && (await this.settling.pass()) > 0);
      if (this.#failures > 0) this.logger?.info('settling works again', { failures: this.#failures })
      this.#failures = 0
      this.#error = null
    } catch (error) {
      this.#failures++
      this.#error = error instanceof BrunoMemoryError ? error : null
      // The first of a streak: an outage of a day is one line.
      if (this.#failures === 1)
        this.logger?.warn('settling failed, and is tried again', { code: this.#error?.code ?? 'unknown' })
    }
  }

  /**
   * Waits until nothing is left but what is parked or was tried in vain and is due later.
   *
   * @throws TimeoutError after `deadline` milliseconds; what stopped the last attempt, where it failed.
   */
  async settle({ deadline = 30_000 }: { readonly deadline?: number | undefined } = {}): Promise<SettleReport> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TimeoutError(`settling took longer than ${deadline} ms`)), deadline)
    })
    try {
      return await Promise.race([this.#settled(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  async #settled(): Promise<SettleReport> {
    // A run that has begun may have missed what was written last.
    await this.#running
    await this.#start()
    if (this.#error) throw this.#error
    return this.settling.report()
  }

  /** Waits for the batch in hand. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#running
  }
}

/** Who is told of each write: a store's own settler, and others; null where there is nobody. */
export function bothTold(settler: Settler | null, others: (() => void) | undefined): (() => void) | null {
  if (!settler) return others ?? null
  return () => {
    settler.poke()
    others?.()
  }
}
