import { expect, inject, test } from 'vitest'
import { seeded } from '../support/random.js'
import { PAIRS } from './support/ends.js'
import { killedTransfer, someSteps } from './support/killing.js'
import { STEPS } from './support/steps.js'

const ALL_STEPS = PAIRS.filter(([from, to]) => from === 'sqlite' && to === 'postgresql')

test.each(ALL_STEPS)(
  'a transfer from %s to %s that is killed at every step goes on, with nothing lost or doubled',
  {
    timeout: 180_000,
  },
  async (...pair) => {
    const plan = { before: STEPS, moments: 0, after: [], records: 11, size: 20 }
    const { kills, report } = await killedTransfer(pair, inject('servers'), plan, seeded(7))
    expect(kills).toBe(STEPS.length)
    expect(report.verified).toMatchObject({ equal: true, different: 0 })
  },
)

const random = seeded(20_261_124)
test.each(PAIRS)(
  'a transfer from %s to %s that is killed goes on, with nothing lost or doubled',
  {
    timeout: 120_000,
  },
  async (...pair) => {
    const plan = { before: someSteps(random, 5), moments: 0, after: [], records: 11, size: 8 }
    const { kills, report } = await killedTransfer(pair, inject('servers'), plan, random)
    expect(kills).toBe(5)
    expect(report.verified).toMatchObject({ equal: true, different: 0, unreadable: 0 })
  },
)
