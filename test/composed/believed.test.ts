import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { MemoryOptions } from '../../src/contract/composition.js'
import type { Memory } from '../../src/contract/memory.js'
import { createMemory } from '../../src/index.js'
import { startRedis } from '../ground/index.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { startProxy } from '../support/proxy.js'
import { cacheUrl, DIMENSIONS, opened, PRIMARIES, SEMANTIC, vectorOf } from './composition.js'

afterAll(returnDatabases)

const DAY = 86_400_000

const contents = async (memory: Memory, conversation = 'c') =>
  (await memory.messages.list(conversation)).items.map(({ content }) => content)

const say = async (memory: Memory, content: string, conversation = 'c') =>
  (await memory.messages.append(conversation, { role: 'user', content }, { userId: 'ada' }))[0]?.id as string

/** Reads a conversation until its end is in the cache. */
const cached = (memory: Memory, conversation = 'c') =>
  vi.waitFor(
    async () => {
      await contents(memory, conversation)
      expect((await memory.verify()).cache?.found).toBe(1)
    },
    { timeout: 3000, interval: 20 },
  )

describe.each(Object.keys(PRIMARIES))('a cache of %s', (name) => {
  const primaryUrl = () => (PRIMARIES[name] as () => Promise<string>)()

  test('that was forgotten and follows again answers nothing of before', async () => {
    const [primary, cache] = [await primaryUrl(), cacheUrl()]
    const first = await opened({ primary, cache })
    await say(first, 'one')
    await cached(first)
    await first.unfollow('cache')
    await first.close()
    await say(await opened({ primary }), 'two')
    const again = await opened({ primary, cache })
    // It is believed soon.
    for (let i = 0; i < 10; i++, await sleep(30)) expect(await contents(again)).toEqual(['one', 'two'])
  })

  /** Where nobody settles, what the cache holds stays as it was. */
  const alone = async (more: Partial<MemoryOptions> = {}) => {
    const memory = await opened({ primary: await primaryUrl(), cache: cacheUrl(), settle: 'off', ...more })
    await memory.settle()
    return memory
  }

  test('is not asked for a branch that was not there before', async () => {
    const memory = await alone()
    const id = await say(memory, 'one')
    await memory.settle()
    await cached(memory, 'b')
    await memory.messages.branch('c', id, { id: 'b' })
    expect(await contents(memory, 'b')).toEqual(['one'])
  })

  test('is not asked for what retention removed', async () => {
    let ahead = 0
    const memory = await alone({ clock: () => Date.now() + ahead })
    await say(memory, 'one')
    await memory.settle()
    ahead = 2 * DAY
    await cached(memory)
    await memory.retain({ messageDays: 1 }, { dryRun: true })
    expect(await contents(memory)).toEqual(['one'])
    await memory.retain({ messageDays: 1 })
    expect(await contents(memory)).toEqual([])
  })

  test('is believed again, however late somebody settles', async () => {
    const memory = await alone({ settleDeadline: 50 })
    await say(memory, 'one')
    await memory.settle()
    await cached(memory)
    await memory.users.delete('ada')
    for (let i = 0; i < 10; i++, await sleep(30)) expect(await contents(memory)).toEqual([])
    await memory.settle()
    await say(memory, 'other', 'd')
    await cached(memory, 'd')
  })
})

test('another life of a primary is not answered from the cache of the one before', async () => {
  const cache = cacheUrl()
  const first = await opened({ primary: 'sqlite::memory:', cache })
  await say(first, 'one')
  await cached(first)
  await first.close()
  const second = await opened({ primary: 'sqlite::memory:', cache })
  for (let i = 0; i < 10; i++, await sleep(30)) expect(await contents(second)).toEqual([])
})

test('a connection that is tried again has its cache', async () => {
  const semantic = (SEMANTIC.qdrant as () => string)()
  const alone = await opened({ primary: semantic })
  const document = { namespace: 'n', id: '1', content: 'one', vector: vectorOf(1) }
  await alone.documents.upsert([document])
  const memory = createMemory({
    primary: 'sqlite::memory:',
    cache: cacheUrl(),
    semantic,
    embeddingDimensions: DIMENSIONS,
  })
  await expect(memory.connect()).rejects.toThrow(/a memory of its own/)
  await alone.documents.deleteNamespace('n')
  await memory.connect()
  await memory.cache.set('key', 1)
  expect(await memory.cache.get('key')).toBe(1)
  await memory.documents.upsert([document])
  const hits = await memory.search({ text: '', vector: vectorOf(1), mode: 'vector', fresh: true })
  expect(hits.map(({ record }) => record.id)).toEqual(['1'])
  await memory.close()
})

test('what the semantic store learned while the cache was away is found when it is back', async () => {
  const server = await startRedis({ own: true })
  const proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  try {
    const semantic = (SEMANTIC.qdrant as () => string)()
    const primary = await (PRIMARIES.sqlite as () => Promise<string>)()
    const together = { primary, semantic, cache: proxy.url('redis'), settle: 'off' as const }
    const reader = await opened(together)
    await reader.settle()
    await reader.memories.add({ id: 'm1', userId: 'ada', type: 'fact', content: 'one', vector: vectorOf(1) })
    // The cache is told, and the semantic store is not.
    const cacheOnly = await opened({ primary, cache: together.cache, settle: 'off' })
    await cacheOnly.settle()
    await cacheOnly.close()
    const search = async () =>
      (await reader.search({ text: '', vector: vectorOf(1), mode: 'vector' })).map(({ record }) => record.id)
    for (let i = 0; i < 10; i++, await sleep(30)) expect(await search()).toEqual([])
    proxy.refuse(true)
    proxy.cut()
    await reader.settle({ deadline: 3000 }).catch(() => undefined)
    expect((await reader.verify()).found).toBe(1)
    proxy.refuse(false)
    await vi.waitFor(() => reader.settle(), { timeout: 9000, interval: 200 })
    for (let i = 0; i < 60; i++, await sleep(30)) expect(await search()).toEqual(['m1'])
    await reader.close()
  } finally {
    await proxy.stop()
    await server.stop()
  }
})
