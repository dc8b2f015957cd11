/** A process that writes without end, or settles what others write, and is killed. */
import { writeSync } from 'node:fs'
import { createMemory } from '../../../src/create-memory.js'
import { seeded } from '../../support/random.js'
import type { ChildPlan, Said } from './said.js'
import { dieAt } from './steps.js'
import { hashModel } from './vectors.js'
import { Lane, readOn, settleOn } from './writer.js'

const { role, options, tenants, incarnation, seed, step } = JSON.parse(process.argv[2] ?? '{}') as ChildPlan

/** Written at once: what stands in the pipe outlives this process. */
const say = (said: Said): void => void writeSync(1, `${JSON.stringify(said)}\n`)
const random = seeded(seed)

const memory = createMemory({ ...options, embeddingFunction: hashModel() })
await memory.connect()
const lanes = role === 'writer' ? tenants.map((name) => new Lane(memory.forTenant(name), incarnation, random, say)) : []
await Promise.all(lanes.map((lane) => lane.begin()))
if (step) dieAt(step.name, step.after)
say({ ready: true })
await Promise.all([
  ...lanes.map((lane) => lane.run()),
  readOn(memory, tenants, random),
  ...(role === 'settler' ? [settleOn(memory)] : []),
])
