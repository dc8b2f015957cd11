// `npm run bench:transfer-redis [-- --rows 50000 --rounds 3]`: SQLite to Redis against a bare pipeline that writes the same fields
// and members one by one, a thousand commands at a time, from memory; in turn, medians. The transfer reads its file too, and each of its batches is
// whole or not there.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { createBackend, transfer } from '../src/index.js'
import { startRedis } from '../test/ground/index.js'
import { median } from './bench/measure.js'
import { sentences } from './bench/sentences.js'

const { values } = parseArgs({ options: { rows: { type: 'string' }, rounds: { type: 'string' } } })
const rows = Number(values.rows ?? 50_000)
const rounds = Number(values.rounds ?? 3)
const PIPELINE = 1000

const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-bench-'))
const from = `sqlite:${join(folder, 'memory.db')}`
const server = await startRedis({ own: true })
const client = new Redis(server.url)

async function fill(): Promise<void> {
  await using memory = createBackend(from, { durability: 'process' })
  const text = sentences()
  for (let c = 0; c < rows / 100; c++) {
    const batch = Array.from({ length: 100 }, (_, i) => ({
      role: i % 2 ? ('user' as const) : ('assistant' as const),
      content: text(),
    }))
    await memory.messages.append(`conversation ${c}`, batch, { userId: `user ${c % 100}` })
  }
}

type Command = readonly [name: string, ...args: string[]]

/** What is there, as commands that write it again. */
async function written(): Promise<Command[]> {
  const commands: Command[] = []
  for await (const keys of client.scanStream({ count: 1000 }) as AsyncIterable<string[]>)
    for (const key of keys) {
      const type = await client.type(key)
      if (type === 'string') commands.push(['set', key, String(await client.get(key))])
      else if (type === 'hash')
        for (const [field, value] of Object.entries(await client.hgetall(key)))
          commands.push(['hset', key, field, value as string])
      else if (type === 'set') for (const member of await client.smembers(key)) commands.push(['sadd', key, member])
      else if (type === 'zset') {
        const members = (await client.call('zrange', key, '0', '-1', 'WITHSCORES')) as string[]
        for (let i = 0; i < members.length; i += 2) commands.push(['zadd', key, `${members[i + 1]}`, `${members[i]}`])
      }
    }
  return commands
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

async function bare(commands: readonly Command[]): Promise<void> {
  for (let i = 0; i < commands.length; i += PIPELINE) {
    const pipeline = client.pipeline()
    for (const [name, ...args] of commands.slice(i, i + PIPELINE)) pipeline.call(name, ...args)
    await pipeline.exec()
  }
}

try {
  await fill()
  const jobs = join(folder, 'jobs')
  const move = () => transfer({ from: { url: from }, to: { url: server.url }, jobs, verify: false })
  await move()
  const commands = await written()
  const [ours, raw]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    await client.flushall()
    ours.push(await seconds(move))
    await client.flushall()
    raw.push(await seconds(() => bare(commands)))
  }
  const [mine, theirs] = [median(ours), median(raw)]
  console.log(`${rows} messages, ${commands.length} fields and members, ${rounds} rounds`)
  console.log(
    `ours ${mine.toFixed(2)} s, ${Math.round(rows / mine)} messages/s; a bare pipeline ${theirs.toFixed(2)} s: ${(theirs / mine).toFixed(2)}× (goal 0.7)`,
  )
} finally {
  client.disconnect()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
