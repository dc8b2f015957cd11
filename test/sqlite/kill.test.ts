import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seeded } from '../support/random.js'
import { type BuiltChild, buildChild } from './support/child.js'
import { killRound } from './support/kill.js'

let child: BuiltChild
beforeAll(async () => {
  child = await buildChild('kill-child.ts')
})
afterAll(() => child[Symbol.dispose]())

const ROUNDS = [1, 2, 3, 4, 5, 6]

describe.each(['power', 'process'] as const)('a process killed while it writes, durability: %s', (durability) => {
  test.each(ROUNDS)('has stored what it acknowledged, once and whole (round %i)', async (round) => {
    const after = Math.round(seeded(round + durability.length * 100)() * 300)
    const report = await killRound({ script: child.script, durability, after })
    expect(report.problems).toEqual([])
    expect(report.acknowledged).toBeGreaterThan(0)
    expect(report.stored).toBeGreaterThanOrEqual(report.acknowledged)
  })
})
