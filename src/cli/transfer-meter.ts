import type { TransferPhase, TransferProgress } from '../contract/transfer-plan.js'

/** What a phase takes beside copying, about, until it has begun. */
const WEIGHTS = { copy: 1, finish: 0.1, verify: 0.6 } as const
type Weighed = keyof typeof WEIGHTS
const PHASES = Object.keys(WEIGHTS) as Weighed[]

/** Milliseconds that a rate is taken over at least, and the share of a longer run. */
const WINDOW = 10_000
const SHARE = 0.5

/** How far the whole is, and how long it will take. */
export interface Pace {
  /** Of 1. */
  readonly done: number
  /** Records a second, in this phase. */
  readonly rate: number
  /** Milliseconds; null where nothing can be said yet. */
  readonly left: number | null
}

interface Sample {
  readonly at: number
  readonly records: number
}

const fraction = ({ records, total }: Pick<TransferProgress, 'records' | 'total'>): number =>
  total > 0 ? Math.min(1, records / total) : 0

/** Smooths the rate of a transfer over its phases: users are quicker than messages, and messages than what has vectors. */
export class TransferMeter {
  #phase: TransferPhase | null = null
  #samples: Sample[] = []
  #began = 0
  /** Milliseconds that copying all of it takes, as it went; what is to come is told by it. */
  #copying: number | null = null
  readonly #phases: readonly Weighed[]

  constructor(
    readonly clock: () => number,
    { verify, copy }: { readonly verify: boolean; readonly copy: boolean },
  ) {
    this.#phases = PHASES.filter((phase) => (phase === 'verify' ? verify : copy))
  }

  update(progress: TransferProgress): Pace {
    const now = this.clock()
    if (progress.phase !== this.#phase) this.#begin(progress, now)
    this.#samples.push({ at: now, records: progress.records })
    const from = now - Math.max(WINDOW, (now - this.#began) * SHARE)
    while (this.#samples.length > 2 && (this.#samples[1] as Sample).at <= from) this.#samples.shift()
    const [first] = this.#samples as [Sample]
    const rate = now > first.at ? ((progress.records - first.records) / (now - first.at)) * 1000 : 0
    return { done: this.#done(progress), rate, left: this.#left(progress, rate, now) }
  }

  #begin({ phase, records }: TransferProgress, now: number): void {
    this.#phase = phase
    this.#samples = [{ at: now, records }]
    this.#began = now
  }

  #at(phase: TransferPhase): number {
    return (this.#phases as readonly TransferPhase[]).indexOf(phase)
  }

  #done(progress: TransferProgress): number {
    const weight = (phases: readonly Weighed[]) => phases.reduce((sum, phase) => sum + WEIGHTS[phase], 0)
    const at = this.#at(progress.phase)
    if (at < 0) return 0
    const own = WEIGHTS[this.#phases[at] as Weighed] * fraction(progress)
    return (weight(this.#phases.slice(0, at)) + own) / weight(this.#phases)
  }

  #left({ phase, records, total }: TransferProgress, rate: number, now: number): number | null {
    const own = rate > 0 ? (Math.max(0, total - records) / rate) * 1000 : null
    if (phase === 'copy' && rate > 0) this.#copying = (total / rate) * 1000
    const usual = this.#phases[this.#at(phase)]
    if (own === null && (this.#copying === null || usual === undefined)) return null
    // One that has only begun, or tells nothing of itself, takes as long as others of its kind.
    const expected = usual === undefined ? 0 : Math.max(0, this.#usual(usual) - (now - this.#began))
    return (own ?? expected) + this.#later(phase)
  }

  /** What the phases behind this one take. */
  #later(phase: TransferPhase): number {
    const at = this.#at(phase)
    return this.#phases.slice(at + 1).reduce((sum, each) => sum + this.#usual(each), 0)
  }

  #usual(phase: Weighed): number {
    return (this.#copying ?? 0) * WEIGHTS[phase]
  }
}
