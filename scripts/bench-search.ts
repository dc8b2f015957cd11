// `npm run bench:search`: what a search costs as a store grows. Ratios are of medians in the same run, in turn.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { getLoadablePath } from 'sqlite-vec'
import { createBackend, type Memory, type TenantMemory } from '../src/index.js'
import { median } from './bench/measure.js'
import { sentences } from './bench/sentences.js'

const DIMENSIONS = 512
const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-search-'))
const quick = process.argv.includes('--quick')
const text = sentences()

/** Clustered vectors from a fixed seed: texts are not spread evenly. */
function vectors(seed = 7): () => Float32Array {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  const centres = Array.from({ length: 200 }, () => Float32Array.from({ length: DIMENSIONS }, random))
  let next = 0
  return () => {
    const centre = centres[next++ % centres.length] as Float32Array
    return centre.map((value) => value + random() * 0.8)
  }
}
const vector = vectors()

async function timed(call: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await call()
  return performance.now() - started
}

const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] as number

/** Calls in turn, `rounds` times each; the times of each. */
async function inTurn(rounds: number, calls: Readonly<Record<string, () => Promise<unknown>>>) {
  const times: Record<string, number[]> = {}
  for (let round = -3; round < rounds; round++)
    for (const [name, call] of Object.entries(calls)) {
      const ms = await timed(call)
      if (round >= 0) times[name] = [...(times[name] ?? []), ms]
    }
  return times
}

async function fill(memory: TenantMemory, size: number, per: number, withVectors: boolean, userId = 'ada') {
  for (let i = 0; i < size; i += per)
    for (let j = 0; j < per; j += 1000) {
      const batch = Array.from({ length: Math.min(1000, per - j, size - i - j) }, () => ({
        role: 'user' as const,
        content: text(),
        ...(withVectors && { vector: vector() }),
      }))
      if (batch.length > 0) await memory.messages.append(`c${i / per}`, batch, { userId })
    }
}

function open(name: string, vectored = false): Memory {
  const databasePath = join(folder, `${name}.db`)
  return createBackend('sqlite', {
    databasePath,
    durability: 'process',
    ...(vectored && { embeddingDimensions: DIMENSIONS }),
  })
}

async function hybrid(): Promise<void> {
  const size = quick ? 10_000 : 100_000
  const memory = open('hybrid', true)
  await fill(memory, size, 500, true)
  const asks = Array.from({ length: 8 }, () => ({
    text: text(),
    vector: vector(),
    kinds: ['message'] as const,
    limit: 10,
    candidates: 100,
  }))
  let i = 0
  const ask = () => asks[i++ % asks.length] as (typeof asks)[number]
  const times = await inTurn(quick ? 8 : 24, {
    text: () => memory.search({ ...ask(), mode: 'text' }),
    vector: () => memory.search({ ...ask(), mode: 'vector' }),
    hybrid: () => memory.search({ ...ask(), mode: 'hybrid' }),
  })
  const [t, v, h] = ['text', 'vector', 'hybrid'].map((name) => median(times[name] ?? [])) as [number, number, number]
  console.log(
    `\nhybrid over ${size} messages of one tenant, the question's vector given (goal: ≤ 1.2× the slower part)`,
  )
  console.log(
    `text ${t.toFixed(1)} ms, vector ${v.toFixed(1)} ms, hybrid ${h.toFixed(1)} ms: ${(h / Math.max(t, v)).toFixed(2)}× the slower`,
  )
  await memory.close()
}

async function users(): Promise<void> {
  const memory = open('users', true)
  for (let user = 0; user < 100; user++)
    await memory.memories.addMany(
      Array.from({ length: 200 }, () => ({ userId: `u${user}`, content: text(), vector: vector() })),
    )
  const db = new Sqlite(join(folder, 'users.db'), { readonly: true })
  db.loadExtension(getLoadablePath())
  const plain = db.prepare(
    `select m.* from (select e.record_seq as seq, vec_distance_cosine(e.vector, ?) as d from bruno_embeddings e
      where e.tenant_id = 'default' and e.space = ? and e.kind = 'memory' and e.user_id = ? order by d limit 10) as n
     cross join bruno_memories m on m.seq = n.seq order by n.d`,
  )
  const space = db.prepare("select id from bruno_spaces where state = 'active'").pluck().get()
  const asks = Array.from({ length: 50 }, (_, i) => ({ userId: `u${i * 2}`, vector: vector() }))
  let a = 0
  let b = 0
  const times = await inTurn(200, {
    raw: async () => {
      const { userId, vector: v } = asks[a++ % asks.length] as (typeof asks)[number]
      return plain.all(Buffer.from(v.buffer), space, userId)
    },
    ours: () => {
      const ask = asks[b++ % asks.length] as (typeof asks)[number]
      return memory.search({ ...ask, mode: 'vector', kinds: ['memory'], limit: 10 })
    },
  })
  const [raw, ours] = [median(times.raw ?? []), median(times.ours ?? [])]
  console.log(`\ntop 10 of one user's 200 vectors among 20,000 (goal: ≤ 1.3× the plain table with its rows)`)
  console.log(`plain ${raw.toFixed(3)} ms, ours ${ours.toFixed(3)} ms: ${(ours / raw).toFixed(2)}×`)
  db.close()
  await memory.close()
}

async function texts(): Promise<void> {
  console.log('\ntext search, milliseconds\n| messages | tenants | p50 | p95 |\n| ---: | ---: | ---: | ---: |')
  for (const size of quick ? [10_000] : [10_000, 100_000, 1_000_000])
    for (const tenants of [1, 200]) {
      const memory = open(`text-${size}-${tenants}`)
      const of = (n: number) => memory.forTenant(`t${n}`)
      for (let n = 0; n < tenants; n++) await fill(of(n), size / tenants, Math.min(500, size / tenants), false)
      const ask = sentences(99)
      const times: number[] = []
      for (let i = 0; i < 120; i++) {
        const question = ask().split(' ').slice(0, 8).join(' ')
        const ms = await timed(() => of(i % tenants).search({ text: question, kinds: ['message'] }))
        if (i >= 20) times.push(ms)
      }
      console.log(
        `| ${size} | ${tenants} | ${percentile(times, 0.5).toFixed(1)} | ${percentile(times, 0.95).toFixed(1)} |`,
      )
      await memory.close()
    }
}

async function contexts(): Promise<void> {
  const memory = open('context', true)
  await fill(memory, 10_000, 10_000, true)
  await memory.memories.addMany(
    Array.from({ length: 500 }, () => ({ userId: 'ada', content: text(), vector: vector() })),
  )
  const ask = { userId: 'ada', conversationId: 'c0', maxTokens: 4000, vector: vector(), mode: 'hybrid' as const }
  await memory.context(ask)
  const times: number[] = []
  for (let i = 0; i < 40; i++) {
    // Each round has something new to say, so that nothing is answered from the last one.
    await memory.messages.append('c0', [{ role: 'user', content: text(), vector: vector() }])
    times.push(await timed(() => memory.context({ ...ask, vector: vector() })))
  }
  console.log('\ncontext of 4,000 tokens from a conversation of 10,000 messages, the vector given (goal: ≤ 20 ms)')
  console.log(`median ${median(times).toFixed(1)} ms, p95 ${percentile(times, 0.95).toFixed(1)} ms`)
  await memory.close()
}

try {
  await users()
  await contexts()
  await hybrid()
  await texts()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
