import { describe, expect, test } from 'vitest'
import { TransferMeter } from '../../src/cli/transfer-meter.js'
import type { TransferPhase } from '../../src/contract/transfer-plan.js'

interface Leg {
  readonly phase: TransferPhase
  readonly total: number
  /** Milliseconds. */
  readonly takes: number
  /** The rate of its parts, one after the other, beside each other. */
  readonly rates?: readonly number[]
}

const STEP = 100

/** The estimates of a run as it goes on, each with what was left in truth. */
function estimates(
  legs: readonly Leg[],
): { readonly at: number; readonly told: number | null; readonly left: number }[] {
  let now = 0
  const whole = legs.reduce((sum, { takes }) => sum + takes, 0)
  const meter = new TransferMeter(() => now, { copy: true, verify: legs.some(({ phase }) => phase === 'verify') })
  const found: { at: number; told: number | null; left: number }[] = []
  for (const { phase, total, takes, rates = [1] } of legs) {
    const shares = rates.reduce((sum, rate) => sum + rate, 0)
    const from = now
    while (now - from <= takes) {
      const through = (now - from) / takes
      const part = Math.min(rates.length - 1, Math.floor(through * rates.length))
      const before = rates.slice(0, part).reduce((sum, rate) => sum + rate, 0)
      const own = (rates[part] as number) * (through * rates.length - part)
      const records = Math.round((total * (before + own)) / shares)
      found.push({ at: now / whole, told: meter.update({ phase, records, total, bytes: 0 }).left, left: whole - now })
      now += STEP
    }
  }
  return found
}

/** The largest error of those between a tenth and nine tenths of the way, as a share of the whole. */
function worst(legs: readonly Leg[]): number {
  const whole = legs.reduce((sum, { takes }) => sum + takes, 0)
  const late = estimates(legs).filter(({ at }) => at >= 0.1 && at <= 0.9)
  return Math.max(...late.map(({ told, left }) => (told === null ? 1 : Math.abs(told - left) / whole)))
}

describe('the time that is left', () => {
  test('is told within a fifth of the whole after a tenth of it', () => {
    const copy = { phase: 'copy', total: 300_000, takes: 20_000 } as const
    expect(worst([copy])).toBeLessThan(0.12)
    expect(
      worst([copy, { phase: 'finish', total: 1, takes: 3000 }, { phase: 'verify', total: 600_000, takes: 12_000 }]),
    ).toBeLessThan(0.2)
    expect(
      worst([copy, { phase: 'finish', total: 0, takes: 500 }, { phase: 'verify', total: 300_000, takes: 9000 }]),
    ).toBeLessThan(0.2)
  })

  test('is smoothed over batches that take longer than others', () => {
    const rates = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 2 : 0.6))
    expect(worst([{ phase: 'copy', total: 300_000, takes: 60_000, rates }])).toBeLessThan(0.2)
  })

  test('is not told before anything is known, and is next to nothing in the end', () => {
    const all = estimates([{ phase: 'copy', total: 1000, takes: 5000 }])
    expect(all[0]?.told).toBeNull()
    // Of an end that has not begun.
    expect(all.at(-1)?.told).toBeLessThan(600)
  })

  test('does not take what an earlier run has copied for this one’s', () => {
    let now = 0
    const meter = new TransferMeter(() => now, { copy: true, verify: false })
    meter.update({ phase: 'copy', records: 90_000, total: 100_000, bytes: 0 })
    now = 1000
    const { rate, left } = meter.update({ phase: 'copy', records: 91_000, total: 100_000, bytes: 0 })
    expect(rate).toBe(1000)
    // Of 100 seconds indexes take about ten.
    expect(left).toBe(9000 + 10_000)
  })
})
