import { RECORD_KINDS, type RecordKind } from '../model/records.js'
import type { LeftOut, Place } from './types.js'

/** What became of a record. Each record that is read has exactly one of these. */
export const OUTCOMES = ['imported', 'unchanged', 'overwritten', 'conflict', 'skipped', 'refused'] as const
export type Outcome = (typeof OUTCOMES)[number]

export type Counts = { readonly [O in Outcome | 'read']: number }
export type CountsByKind = Readonly<Partial<Record<RecordKind, Counts>>>

/** Why a record was not imported as it stood. `adjusted`: it was imported, and this about it was left out. */
export interface Finding {
  readonly outcome: 'conflict' | 'refused' | 'adjusted'
  readonly kind: RecordKind
  readonly field: string
  readonly reason: string
  readonly place: Place
}

const zero = (): Record<Outcome | 'read', number> => ({
  read: 0,
  imported: 0,
  unchanged: 0,
  overwritten: 0,
  conflict: 0,
  skipped: 0,
  refused: 0,
})

/** Counts of one batch, or of a whole import. `read` is the sum of the others, because it is counted with them. */
export class Tally {
  readonly #counts = new Map<RecordKind, Record<Outcome | 'read', number>>()
  readonly skips = new Map<string, number>()
  readonly findings: Finding[] = []
  adjusted = 0

  count(kind: RecordKind, outcome: Outcome, n = 1): void {
    const counts = this.#counts.get(kind) ?? zero()
    this.#counts.set(kind, counts)
    counts[outcome] += n
    counts.read += n
  }

  skip(kind: RecordKind, reason: string, n = 1): void {
    this.count(kind, 'skipped', n)
    this.passOver(reason, n)
  }

  passOver(what: string, n: number): void {
    this.skips.set(what, (this.skips.get(what) ?? 0) + n)
  }

  find(finding: Finding): void {
    if (finding.outcome === 'adjusted') this.adjusted++
    else this.count(finding.kind, finding.outcome)
    this.findings.push(finding)
  }

  leaveOut({ kind, outcome, field, reason, place }: LeftOut): void {
    if (outcome === 'skipped') this.skip(kind, reason)
    else this.find({ outcome, kind, field, reason, place })
  }

  /** Takes over another tally's counts; its findings go to `report`. */
  merge(other: Tally, report: (finding: Finding) => void): void {
    for (const [kind, counts] of other.#counts)
      for (const outcome of OUTCOMES) if (counts[outcome] > 0) this.count(kind, outcome, counts[outcome])
    for (const [reason, n] of other.skips) this.passOver(reason, n)
    this.adjusted += other.adjusted
    for (const finding of other.findings) report(finding)
  }

  counts(): CountsByKind {
    return Object.fromEntries(
      RECORD_KINDS.flatMap((kind) => {
        const counts = this.#counts.get(kind)
        return counts ? [[kind, { ...counts }]] : []
      }),
    )
  }

  total(outcome: Outcome | 'read'): number {
    let n = 0
    for (const counts of this.#counts.values()) n += counts[outcome]
    return n
  }
}
