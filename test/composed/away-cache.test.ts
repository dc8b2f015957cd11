import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { v7 } from 'uuid'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBackend, createMemory, type Memory } from '../../src/index.js'
import { type Server, startRedis } from '../ground/index.js'
import { tell } from '../ground/redis-acl.js'
import { type FaultyProxy, startProxy } from '../support/proxy.js'

/** Milliseconds that a call of the cache may take. */
const CALL = 500
/** A busy machine's share. */
const SLACK = 400
const CONVERSATIONS = ['c0', 'c1', 'c2', 'c3']

const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-away-'))
let server: Server
let proxy: FaultyProxy
beforeAll(async () => {
  server = await startRedis({ own: true })
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

let reader: Memory
/** Of another process, as the test says. */
let writer: Memory
let primary: Memory
let database: string
let prefix: string
beforeEach(async () => {
  proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  database = `sqlite:${join(folder, `${v7()}.db`)}`
  prefix = v7()
  reader = createMemory({ primary: database, cache: `${proxy.url('redis')}?prefix=${prefix}` })
  await reader.connect()
  primary = createBackend(database) as Memory
  await primary.connect()
})
afterEach(async () => {
  await Promise.all([reader, writer, primary].map((memory) => memory.close()))
  await proxy.stop()
})

const contents = async (memory: Memory, id: string): Promise<string[]> =>
  (await memory.messages.list(id)).items.map(({ content }) => content)

const say = (memory: Memory, id: string, content: string) =>
  memory.messages.append(id, { role: 'user', content }, { userId: 'ada' })

/** Windows of all conversations, in the cache. */
async function filled(): Promise<void> {
  for (const id of CONVERSATIONS) await say(reader, id, 'first')
  await cached()
}

/** Waits until a read is answered by the cache. */
async function cached(): Promise<void> {
  for (const until = performance.now() + 8000; performance.now() < until; await sleep(20)) {
    await reader.messages.list('c0')
    proxy.reset()
    await reader.messages.list('c0')
    if (proxy.roundTrips() > 0) break
  }
  for (const id of [...CONVERSATIONS, ...CONVERSATIONS]) await reader.messages.list(id)
  expect(proxy.roundTrips()).toBeGreaterThan(0)
}

/** Reads what the primary has, for so long; answers the times that they took, in milliseconds. */
async function readsAsPrimary(ms: number): Promise<number[]> {
  const times: number[] = []
  for (const until = performance.now() + ms; performance.now() < until; await sleep(5)) {
    const id = CONVERSATIONS[times.length % CONVERSATIONS.length] as string
    const expected = await contents(primary, id)
    const started = performance.now()
    expect(await contents(reader, id)).toEqual(expected)
    times.push(performance.now() - started)
  }
  return times
}

const WRITERS: Readonly<Record<string, () => Memory>> = {
  'that has the cache too': () => createMemory({ primary: database, cache: `${proxy.url('redis')}?prefix=${prefix}` }),
  'that knows of no cache': () => createBackend(database) as Memory,
}

interface Outage {
  readonly begin: () => Promise<void>
  readonly end: () => Promise<void>
}

const OUTAGES: Readonly<Record<string, Outage>> = {
  'a line that hangs': { begin: async () => proxy.freeze(), end: async () => proxy.thaw() },
  'a line that is cut': {
    begin: async () => {
      proxy.refuse(true)
      proxy.cut()
    },
    end: async () => proxy.refuse(false),
  },
  'a server that is killed and comes back as it was': { begin: () => server.kill(), end: () => server.start() },
  'a server that is killed and comes back empty': {
    begin: async () => {
      await tell(server.url, 'flushall')
      await server.kill()
    },
    end: () => server.start(),
  },
}

describe.each(Object.keys(WRITERS))('beside a process %s', (name) => {
  test.each(Object.keys(OUTAGES))('%s slows one read, and leaves nothing outdated', async (kind) => {
    const { begin, end } = OUTAGES[kind] as Outage
    writer = (WRITERS[name] as () => Memory)()
    await writer.connect()
    await filled()
    await begin()
    const [first = 0, ...others] = await readsAsPrimary(1200)
    expect(first).toBeLessThan(CALL + SLACK)
    expect(Math.max(...others)).toBeLessThan(SLACK)
    for (const id of CONVERSATIONS) await say(writer, id, 'while it was away')
    await say(reader, 'c0', 'of its own')
    await reader.unitOfWork(async (unit) => {
      await unit.messages.append('c1', { role: 'user', content: 'of a unit' })
      await unit.cache.set('key', 'value')
    })
    await readsAsPrimary(200)
    await end()
    // The first look at a cache that went away is a quarter of a second later, the next ones later still.
    await readsAsPrimary(1500)
    await cached()
    await readsAsPrimary(300)
  })
})

test('a cache that another process has put another one in the place of is not believed any more', async () => {
  await filled()
  writer = createMemory({ primary: database, cache: `redis://127.0.0.1:${server.port}?prefix=${prefix}` })
  await writer.connect()
  // What others do is looked for every two seconds.
  await sleep(2500)
  for (const id of CONVERSATIONS) await say(writer, id, 'told to the other cache')
  for (const id of CONVERSATIONS) await say(reader, id, 'of its own')
  await readsAsPrimary(1000)
})
