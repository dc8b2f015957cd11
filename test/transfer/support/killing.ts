import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TransferEnd, TransferReport } from '../../../src/contract/transfer-plan.js'
import { openTarget, transfer } from '../../../src/run-transfer.js'
import type { ServerUrls } from '../../ground/index.js'
import { pick } from '../../support/random.js'
import { type End, type EndName, freshEnd } from './ends.js'
import { DIMENSIONS, fillSqlite } from './fixture.js'
import { STEPS, type Step } from './steps.js'

const HOLDS_VECTORS: readonly EndName[] = ['qdrant', 'chromadb']
const vectorless = (from: EndName, to: EndName): boolean => from === 'redis' && HOLDS_VECTORS.includes(to)

/** What a target is opened with, and what is asked for, where a source has no vectors for one that needs them. */
export function wishesFor(from: EndName, to: EndName): { open: Record<string, unknown>; reembed?: true } {
  if (vectorless(from, to)) return { open: { embeddingFunction: 'offline' }, reembed: true }
  return { open: HOLDS_VECTORS.includes(to) ? { embeddingDimensions: DIMENSIONS } : {} }
}

/** A source of a kind, with everything that it can hold. */
export async function filledEnd(name: EndName, servers: ServerUrls, size: number, jobs: string): Promise<End> {
  const first = await freshEnd('sqlite', servers)
  await fillSqlite(first.url, size)
  if (name === 'sqlite') return first
  const source = await freshEnd(name, servers)
  await transfer({ from: first, to: source, allowOmit: true, jobs })
  await first.remove()
  return source
}

/** Kills at named steps, at moments, and at further steps. */
export interface Killing {
  readonly before: readonly Step[]
  readonly moments: number
  readonly after: readonly Step[]
  readonly records: number
  readonly size: number
}

export interface Killed {
  readonly kills: number
  readonly report: TransferReport
}

/** Moves everything from one kind to another by processes that are killed, then by one that is not; answers its report. */
export async function killedTransfer(
  [from, to]: readonly [EndName, EndName],
  servers: ServerUrls,
  { before, moments, after, records, size }: Killing,
  random: () => number,
): Promise<Killed> {
  const jobs = mkdtempSync(join(tmpdir(), 'bruno-memory-jobs-'))
  const [source, target] = [await filledEnd(from, servers, size, jobs), await freshEnd(to, servers)]
  const { open, ...wishes } = wishesFor(from, to)
  const args = (step: string, times: number): string[] => [
    ...[source.url, target.url, step, String(times), String(records), jobs],
    JSON.stringify({ open, ...wishes }),
  ]
  let kills = 0
  try {
    const at = async (step: Step): Promise<void> => {
      const times = step.includes('writ') ? 1 + Math.floor(random() * 2) : 1
      if ((await dyingRun(args(step, times))) === 'SIGKILL') kills++
    }
    for (const step of before) await at(step)
    let through = false
    for (let i = 0; i < moments && !through; i++) {
      // One that got through leaves nothing to be killed.
      through = (await dyingRun(args('none', 1), 350 + random() * 400)) !== 'SIGKILL'
      if (!through) kills++
    }
    if (!through) for (const step of after) await at(step)
    const ends = { from: source, to: { ...target, options: open }, jobs }
    // One that was killed behind its end has nothing left to do.
    const verifyOnly = await isThrough({ ...target, options: open }, jobs)
    const left = await transfer({
      ...ends,
      allowOmit: true,
      ...(verifyOnly ? { verifyOnly } : { resume: true }),
      ...wishes,
    })
    return { kills, report: left }
  } finally {
    await Promise.all([source.remove(), target.remove()])
    rmSync(jobs, { recursive: true, force: true })
  }
}

async function isThrough(to: TransferEnd, jobs: string): Promise<boolean> {
  const { end, close } = await openTarget(to, jobs)
  try {
    return (await end.unfinished()) === null
  } finally {
    await close()
  }
}

/** Runs in a process of its own, killed after some milliseconds where these are given; answers the signal that ended it. */
async function dyingRun(args: readonly string[], after?: number): Promise<string | null> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/transfer/support/dying-run.ts', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const timer = after === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), after)
  const [, signal] = await once(child, 'exit')
  clearTimeout(timer)
  return signal
}

/** Some of the steps, each at most once, in their order. */
export function someSteps(random: () => number, n: number): Step[] {
  const chosen = new Set<Step>()
  while (chosen.size < n) chosen.add(pick(random, STEPS.slice(0, -1)))
  return STEPS.filter((step) => chosen.has(step))
}
