// `npx tsx scripts/bench-fallback.ts [--quick]`: calls through a chain against the same calls on its first backend alone,
// in the same run, in turn; medians. What is above 1 is what a healthy chain costs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { createBackend, createWithFallback, type Memory } from '../src/index.js'
import { ownPostgresql } from '../test/ground/index.js'
import { compare, print, type Result } from './bench/measure.js'
import { sentences } from './bench/sentences.js'

const quick = process.argv.includes('--quick')
const many = (rounds: number) => (quick ? Math.ceil(rounds / 5) : rounds)
const text = sentences()
/** A chain costs at most 3 % of a call. */
const GOAL = 0.97

/** A conversation, and what is asked of it. */
async function sideOf(memory: Memory) {
  const { id } = await memory.conversations.create({ userId: 'bench' })
  const [message] = await memory.messages.append(id, { role: 'user', content: text() })
  return {
    append: () => memory.messages.append(id, { role: 'user', content: text() }),
    get: () => memory.messages.get(id, message?.id as string),
  }
}

async function measure(name: string, alone: Memory, chain: Memory, share: number): Promise<Result[]> {
  const [ours, raw] = [await sideOf(chain), await sideOf(alone)]
  const each = { goal: GOAL, rounds: many(60), warm: many(2000) }
  return [
    await compare({ name: `append, ${name}`, ours: ours.append, raw: raw.append, calls: 100 * share, ...each }),
    await compare({ name: `get, ${name}`, ours: ours.get, raw: raw.get, calls: 500 * share, ...each }),
  ]
}

const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-bench-'))
const server = await ownPostgresql()
const file = (name: string) => `sqlite:${join(folder, `${name}.db`)}`
const database = async (name: string): Promise<string> => {
  const admin = postgres(server.url, { max: 1 })
  await admin.unsafe(`create database ${name}`)
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return url.href
}
try {
  const results: Result[] = []
  const options = { durability: 'process' as const }
  for (const [name, alone, first, share] of [
    ['sqlite', file('alone'), file('first'), 2],
    ['postgresql', await database('alone'), await database('first'), 1],
  ] as const) {
    const single: Memory = createBackend(alone as string, options)
    const chain = await createWithFallback([first, file(`second-${name}`)], options)
    results.push(...(await measure(name, single, chain, share)))
    await single.close()
    await chain.close()
  }
  console.log(`chain (ours) against its first backend alone (raw); durability: process; goal: at least ${GOAL}`)
  print(results)
  process.exitCode = results.every(({ ratio, goal }) => ratio >= goal) ? 0 : 1
} finally {
  await server.stop()
  await rm(folder, { recursive: true })
}
