import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, inject, onTestFinished, test } from 'vitest'
import { transfer } from '../../src/run-transfer.js'
import { seeded } from '../support/random.js'
import { type End, type EndName, freshEnd } from './support/ends.js'
import { fillSqlite } from './support/fixture.js'
import { STEPS } from './support/steps.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

/** Runs in a process of its own; answers the signal that ended it, or null. */
async function dyingRun(args: readonly string[]): Promise<string | null> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/transfer/support/dying-run.ts', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [, signal] = await once(child, 'exit')
  return signal
}

const PAIRS = [
  ['sqlite', 'sqlite'],
  ['sqlite', 'postgresql'],
] as const

for (const [from, to] of PAIRS)
  test(`a transfer from ${from} to ${to} that is killed at any step goes on, with nothing lost and nothing doubled`, {
    timeout: 180_000,
  }, async () => {
    const random = seeded(to.length)
    const [source, target] = [await end(from), await end(to)]
    await fillSqlite(source.url, 25)
    let killed = 0
    for (const step of STEPS) {
      const times = step.includes('writ') ? 1 + Math.floor(random() * 6) : 1
      const signal = await dyingRun([source.url, target.url, step, String(times), '7'])
      if (signal === 'SIGKILL') killed++
    }
    expect(killed).toBe(STEPS.length)
    // The last of them had ended: what is there is everything, once.
    const { verified } = await transfer({ from: source, to: target, verifyOnly: true })
    expect(verified).toMatchObject({ equal: true, different: 0 })
    await expect(transfer({ from: source, to: target })).rejects.toThrow(/holds \d+ records already/)
  })
