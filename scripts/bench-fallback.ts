// `npm run bench:fallback [-- --quick]`: calls through a chain against the same calls on its first backend alone,
// in the same run, in turn; medians. What is missing to 1 is what a healthy chain costs.
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

interface Measured {
  readonly name: string
  readonly alone: Memory
  readonly chain: Memory
  /** Another one like `alone`: what it differs by is the measurement's own error. */
  readonly twin: Memory
  readonly share: number
  readonly analyse: () => Promise<unknown>
}

async function measure({ name, alone, chain, twin, share, analyse }: Measured): Promise<Result[]> {
  const [ours, raw, same] = [await sideOf(chain), await sideOf(alone), await sideOf(twin)]
  const each = { goal: GOAL, rounds: many(100), warm: many(2000) }
  const pair = (verb: 'append' | 'get', calls: number) => [
    { name: `${verb}, ${name}`, ours: ours[verb], raw: raw[verb], calls: calls * share, ...each },
    { name: `${verb}, ${name}: two without a chain`, ours: same[verb], raw: raw[verb], calls: calls * share, ...each },
  ]
  const results: Result[] = []
  for (const each of pair('append', 60)) results.push(await compare(each))
  // Before that, each connection may keep a plan of its own.
  await analyse()
  for (const each of pair('get', 500)) results.push(await compare(each))
  return results
}

const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-bench-'))
const server = await ownPostgresql()
const file = (name: string) => `sqlite:${join(folder, `${name}.db`)}`
async function analyse(): Promise<void> {
  const sql = postgres(server.url, { max: 1 })
  await sql.unsafe('analyze')
  await sql.end()
}
try {
  const results: Result[] = []
  const options = { durability: 'process' as const }
  for (const [name, alone, first, share] of [
    ['sqlite', file('alone'), file('first'), 2],
    // One database: when a table is analysed changes the plans of both sides.
    ['postgresql', server.url, server.url, 1],
  ] as const) {
    const single: Memory = createBackend(alone, options)
    const twin: Memory = createBackend(name === 'sqlite' ? file('twin') : server.url, options)
    const chain = await createWithFallback([first, file(`second-${name}`)], options)
    results.push(...(await measure({ name, alone: single, chain, twin, share, analyse })))
    await single.close()
    await twin.close()
    await chain.close()
  }
  console.log(`chain (ours) against its first backend alone (raw); durability: process; goal: at least ${GOAL}`)
  print(results)
} finally {
  await server.stop()
  await rm(folder, { recursive: true })
}
