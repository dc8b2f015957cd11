import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { Outbox } from '../../src/backends/sql/outbox.js'
import { BrunoMemoryError } from '../../src/errors.js'
import { seeded } from '../support/random.js'
import { Rescinded } from '../support/rescinded.js'
import { compareStores, noDifferences } from './support/agreement.js'
import { ModelGround } from './support/model-ground.js'
import { applyEdit, type ModelStep, modelStep, SETTLERS, stepsOf } from './support/model-steps.js'
import { FaultyTarget, Wire } from './support/telling.js'

const LEAST_STEPS = 50_000
const RUNS = 110
/** More than what a settler that did not come to its end has taken is left to it, or a refused record waits. */
const LONGEST_DELAY = 125_000
const LEASE = 120_000

/** Milliseconds that entries are left to their taker; at 0 all settlers take the same ones. */
let lease = 0
const { claim } = Outbox.prototype

let ground: ModelGround
beforeAll(async () => {
  Outbox.prototype.claim = function (...asked) {
    Object.assign(this.options, { lease })
    return claim.apply(this, asked)
  }
  ground = await ModelGround.open(inject('servers').QDRANT_URL)
})
afterAll(async () => {
  Outbox.prototype.claim = claim
  await ground.close()
})

let steps = 0
let late = 0

async function write({ tenant, edits, thrown }: Extract<ModelStep, { step: 'write' }>): Promise<void> {
  const unit = ground.memory.forTenant(tenant).unitOfWork(async (verbs) => {
    for (const edit of edits) await applyEdit(verbs, edit)
    if (thrown) throw new Rescinded()
  })
  await unit.catch((error) => {
    if (!(error instanceof Rescinded)) throw error
  })
}

/** What several settlers make of these steps, and what is left when all of them have ended. */
async function run(given: readonly ModelStep[], seed: number): Promise<string[]> {
  await ground.empty()
  lease = seed % 2 === 0 ? 0 : LEASE
  const wire = new Wire(ground.index, ground.clock.now)
  const random = seeded(seed)
  const settlers = Array.from({ length: SETTLERS }, () => {
    const target = new FaultyTarget(wire, random)
    return { target, settling: ground.settler(target) }
  })
  const under = new Set<Promise<unknown>>()
  const settle = async (n: number): Promise<void> => {
    await settlers[n]?.settling.pass().catch((error) => {
      if (!(error instanceof BrunoMemoryError)) throw error
    })
  }
  for (const step of given) {
    steps += stepsOf(step)
    if (step.step === 'write') await write(step)
    else if (step.step === 'time') ground.clock.advance(step.ms)
    else {
      const { target } = settlers[step.step === 'settle' ? step.settler : 0] ?? {}
      if (target && step.step === 'settle') target.fault = step.fault
      const work = step.step === 'settle' ? settle(step.settler) : wire.deliver(step.nth)
      const done = work.finally(() => under.delete(done))
      under.add(done)
      if (step.step === 'deliver' || step.wait) await done
    }
  }
  await Promise.all(under)
  late += wire.late
  return ends(wire, settlers)
}

/** The faults are over: what is still to be told is told, and what was late arrives last of all. */
async function ends(wire: Wire, settlers: readonly { target: FaultyTarget }[]): Promise<string[]> {
  for (const { target } of settlers) target.fault = 'none'
  const last = ground.settler(ground.index)
  for (let round = 0; round < 2; round++) {
    await ground.followed.requeue(ground.follower.name)
    if (round === 0) ground.clock.advance(LONGEST_DELAY)
    while ((await last.pass()) > 0);
    await wire.deliverAll()
  }
  const differences = noDifferences()
  const { pending, parked } = await last.report()
  if (pending + parked > 0) differences.wrong.push(`${pending} entries are left, and ${parked} parked`)
  await compareStores(ground.peek, ground.engine, differences)
  return differences.wrong
}

test('whatever settlers lose, repeat and send too late, the follower ends as the primary is', async () => {
  const samples = fc.array(modelStep, { minLength: 60, maxLength: 90, size: 'max' })
  await fc.assert(
    fc.asyncProperty(samples, fc.nat(), async (given, seed) => {
      expect(await run(given, seed)).toEqual([])
    }),
    { numRuns: RUNS },
  )
  expect(steps).toBeGreaterThan(LEAST_STEPS)
  expect(late).toBeGreaterThan(RUNS)
}, 180_000)
