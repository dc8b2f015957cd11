// `npm run torture fallback`, or this file with `--kills N --rate N`: the first backend of a chain is killed and started
// again under writes; what was acknowledged is then held against it: everything is there, once, in each conversation's order.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createBackend, createWithFallback, type Memory } from '../../src/index.js'
import { ownPostgresql } from '../ground/index.js'

const { values } = parseArgs({ options: { kills: { type: 'string' }, rate: { type: 'string' } } })
const kills = Number(values.kills ?? 20)
const rate = Number(values.rate ?? 200)
const CONVERSATIONS = 20
const stray: string[] = []
process.on('unhandledRejection', (error) => stray.push(`unhandled rejection: ${String(error)}`))
process.on('uncaughtException', (error) => stray.push(`uncaught exception: ${String(error)}`))

const acknowledged = new Map<string, string[]>()
const memories: string[] = []
const slowest: number[] = []
const failed = new Map<string, number>()
let going = true

/** One conversation's writer: the next message is sent when the one before was acknowledged. */
async function write(memory: Memory, conversationId: string): Promise<void> {
  const own: string[] = []
  acknowledged.set(conversationId, own)
  const pause = (1000 * CONVERSATIONS) / rate
  let next = performance.now() + Math.random() * pause
  for (let i = 0; going; i++) {
    await sleep(Math.max(0, next - performance.now()))
    next = Math.max(next + pause, performance.now() - 1000)
    const started = performance.now()
    try {
      if (i % 10 === 9)
        memories.push((await memory.memories.add({ userId: 'ada', content: `${conversationId} ${i}` })).id)
      else {
        await memory.messages.append(conversationId, { role: 'user', content: String(i) }, { userId: 'ada' })
        own.push(String(i))
      }
    } catch (error) {
      const name = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      failed.set(name, (failed.get(name) ?? 0) + 1)
    }
    slowest.push(performance.now() - started)
  }
}

/** What is wrong in the first backend. */
async function problems(url: string): Promise<string[]> {
  const first = createBackend(url)
  const found: string[] = []
  for (const [id, own] of acknowledged) {
    const stored: string[] = []
    for await (const { content } of first.messages.each(id)) stored.push(content)
    const there = new Set(stored)
    const missing = own.filter((content) => !there.has(content))
    if (missing.length > 0) found.push(`${id}: ${missing.length} acknowledged messages are missing`)
    if (there.size < stored.length) found.push(`${id}: ${stored.length - there.size} messages are there twice`)
    const order = stored.map(Number)
    const wrong = order.findIndex((n, i) => i > 0 && n <= (order[i - 1] as number))
    if (wrong > 0) found.push(`${id}: ${order[wrong]} stands behind ${order[wrong - 1]}`)
  }
  const kept = new Set<string>()
  for await (const { id } of first.memories.each()) kept.add(id)
  const lost = memories.filter((id) => !kept.has(id)).length
  if (lost > 0) found.push(`${lost} acknowledged memories are missing`)
  await first.close()
  return found
}

async function whole(memory: Awaited<ReturnType<typeof createWithFallback>>): Promise<number> {
  const started = performance.now()
  for (;;) {
    const { degraded, journal } = memory.status()
    if (!degraded && journal === 0) return performance.now() - started
    if (performance.now() - started > 60_000) throw new Error('the first backend was not handed back in a minute')
    await sleep(20)
  }
}

const server = await ownPostgresql()
const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-'))
try {
  const memory = await createWithFallback([server.url, `sqlite:${join(folder, 'memory.db')}`])
  const writers = Array.from({ length: CONVERSATIONS }, (_, i) => write(memory, `c${i}`))
  const back: number[] = []
  for (let i = 0; i < kills; i++) {
    await sleep(500 + Math.random() * 1000)
    await server.kill()
    await sleep(300 + Math.random() * 1500)
    await server.start()
    back.push(await whole(memory))
  }
  going = false
  await Promise.all(writers)
  await whole(memory)
  const { parked } = memory.status()
  await memory.close()
  const found = [...(await problems(server.url)), ...stray, ...parked.map((each) => `parked: ${each.reason}`)]
  for (const [name, n] of failed) found.push(`${n} calls failed: ${name}`)
  slowest.sort((a, b) => a - b)
  const at = (share: number) => Math.round(slowest[Math.floor((slowest.length - 1) * share)] ?? 0)
  console.table({
    kills,
    writes: slowest.length,
    'median ms': at(0.5),
    'p99 ms': at(0.99),
    'slowest ms': at(1),
    'longest until whole ms': Math.round(Math.max(...back)),
  })
  for (const problem of found.slice(0, 30)) console.log(`  ${problem}`)
  console.log(found.length === 0 ? '  everything acknowledged is there, once, in order' : `  ${found.length} problems`)
  process.exitCode = found.length === 0 ? 0 : 1
} finally {
  await server.stop()
  await rm(folder, { recursive: true })
}
