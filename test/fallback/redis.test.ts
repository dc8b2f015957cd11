import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createWithFallback, type FallbackMemory } from '../../src/index.js'
import { ownPostgresql, type Server, startRedis } from '../ground/index.js'
import { freshPrefix, serverUrl } from '../redis/support/memories.js'
import { contents, folder, says, until } from './support.js'

const stopped: Server[] = []
afterAll(() => Promise.all(stopped.map((server) => server.stop())))
async function own(start: () => Promise<Server>): Promise<Server> {
  const server = await start()
  stopped.push(server)
  return server
}

async function chain(entries: Parameters<typeof createWithFallback>[0]): Promise<FallbackMemory> {
  const memory = await createWithFallback(entries, { checkInterval: 100 })
  onTestFinished(() => memory.close())
  return memory
}

const whole = (memory: FallbackMemory): Promise<void> =>
  until(() => !memory.status().degraded && memory.status().journal === 0, 20_000)

interface Chain {
  readonly name: string
  /** The first backend's server, which is killed. */
  start(): Promise<Server>
  open(server: Server): Promise<FallbackMemory>
}

const chains: readonly Chain[] = [
  {
    name: 'Redis before SQLite',
    start: () => startRedis({ own: true, settings: { appendfsync: 'always' } }),
    open: async ({ url }) =>
      chain([
        { backend: 'redis', url, prefix: freshPrefix() },
        { backend: 'sqlite', databasePath: join(await folder(), 'memory.db') },
      ]),
  },
  {
    name: 'PostgreSQL before Redis',
    start: () => ownPostgresql(),
    open: ({ url }) =>
      chain([
        { backend: 'postgresql', connectionString: url },
        { backend: 'redis', url: serverUrl(), prefix: freshPrefix() },
      ]),
  },
]

describe.each(chains)('$name', ({ start, open }) => {
  let server: Server
  beforeAll(async () => {
    server = await own(start)
  })

  test('what is written in an outage is in the first backend afterwards, in order, once', async () => {
    const memory = await open(server)
    const acme = memory.forTenant('acme')
    await acme.messages.append('c', says('before'), { userId: 'ada' })
    await acme.memories.add({ id: 'old', userId: 'ada', content: 'old' })
    await server.kill()
    const started = performance.now()
    await acme.messages.append('c', says('one'))
    expect(performance.now() - started).toBeLessThan(2500)
    expect(memory.status().degraded).toBe(true)
    await acme.messages.append('c', [says('two'), says('three')])
    await acme.messages.append('new', says('stub'), { userId: 'eve' })
    await acme.unitOfWork(async (unit) => {
      await unit.memories.add({ id: 'm', userId: 'ada', content: 'learned meanwhile', importance: 0.9 })
      await unit.sessions.create({ id: 's', userId: 'ada', state: { step: 1 } })
    })
    await acme.sessions.update('s', { state: { step: 2 } })
    await memory.users.create({ id: 'another tenant’s' })
    expect(await contents(acme, 'c')).toEqual(['one', 'two', 'three'])
    expect(memory.status().journal).toBeGreaterThan(4)
    await server.start()
    await whole(memory)
    expect(memory.status().parked).toEqual([])
    expect(await contents(acme, 'c')).toEqual(['before', 'one', 'two', 'three'])
    expect(await contents(acme, 'new')).toEqual(['stub'])
    expect(await acme.memories.get('old')).not.toBeNull()
    expect(await acme.memories.get('m')).toMatchObject({ content: 'learned meanwhile', importance: 0.9 })
    expect(await acme.sessions.get('s')).toMatchObject({ state: { step: 2 } })
    expect(await memory.users.get('another tenant’s')).not.toBeNull()
  })

  test('writes under way when the server is killed are there once', async () => {
    const memory = await open(server)
    await memory.messages.append('under way', says('first'), { userId: 'ada' })
    const ids = Array.from({ length: 150 }, (_, i) => `m${i}`)
    const writes: Promise<unknown>[] = []
    for (const [i, id] of ids.entries()) {
      writes.push(memory.messages.append('under way', says(id, id)))
      if (i === 75) void server.kill()
      if (i % 15 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await Promise.all(writes)
    await server.start()
    await whole(memory)
    expect(memory.status().parked).toEqual([])
    const stored: string[] = []
    for await (const { id, content } of memory.messages.each('under way')) if (content !== 'first') stored.push(id)
    expect(stored.sort()).toEqual([...ids].sort())
  })

  test('outages one after the other are all handed back, in order', async () => {
    const memory = await open(server)
    for (const round of [1, 2]) {
      await memory.messages.append('again', says(`before ${round}`), { userId: 'ada' })
      await server.kill()
      await memory.messages.append('again', says(`during ${round}`))
      expect((await contents(memory, 'again')).at(-1)).toBe(`during ${round}`)
      await server.start()
      await whole(memory)
    }
    expect(await contents(memory, 'again')).toEqual(['before 1', 'during 1', 'before 2', 'during 2'])
  })
})

test('a Redis that promises nothing stands in for nobody', async () => {
  const server = await own(() => startRedis({ own: true, settings: { appendonly: 'no' } }))
  const opening = createWithFallback([
    { backend: 'sqlite', databasePath: ':memory:' },
    { backend: 'redis', url: server.url },
  ])
  await expect(opening).rejects.toThrow(/durab/)
})
