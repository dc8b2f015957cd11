import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisEmbeddingCache } from '../../src/backends/redis/embedding-cache.js'
import type { RedisOptions } from '../../src/contract/options.js'
import { refused } from '../conformance/expecting.js'
import { ADA, contentsOf, talk } from '../conformance/fixtures.js'
import { type Server, startRedis } from '../ground/index.js'
import { freePort } from '../ground/ports.js'
import { tell } from '../ground/redis-acl.js'
import { type RedisSentinel, startRedisSentinel } from '../ground/redis-sentinel.js'
import { startProxy } from '../support/proxy.js'
import { freshPrefix, memories } from './support/memories.js'

let server: Server
beforeAll(async () => {
  server = await startRedis({ own: true })
})
afterAll(() => server.stop())
const { create, dispose } = memories(() => ({ url: server.url }))
afterEach(dispose)

describe('the number of a database', () => {
  it('keeps data apart under one prefix: records, units, cache, events and sweeps', async () => {
    const prefix = freshPrefix()
    const { port } = server
    const place = { url: undefined, port, prefix, events: true }
    const [first, third] = [create({ ...place, db: 0 }), create({ ...place, db: 3 })]
    const heard: string[] = []
    await third.events.consume('w', ({ type, key }) => void heard.push(`${type} ${key.join(' ')}`)).ready
    await talk(first, 'c', ['in 0'])
    await first.unitOfWork((unit) => unit.memories.add({ id: 'm', userId: ADA, content: 'in 0' }))
    await first.cache.set('k', 'in 0')
    expect(await third.statistics()).toMatchObject({ users: 0, conversations: 0, messages: 0, memories: 0 })
    expect([await third.memories.get('m'), await third.cache.get('k')]).toEqual([null, null])
    await talk(third, 'c', ['in 3'])
    await third.unitOfWork((unit) => unit.memories.add({ id: 'm', userId: ADA, content: 'in 3' }))
    expect((await first.memories.get('m'))?.content).toBe('in 0')
    expect((await third.memories.get('m'))?.content).toBe('in 3')
    await expect.poll(() => heard, { timeout: 5000 }).toContain('memory.added m')
    expect(heard.filter((event) => event === 'memory.added m')).toHaveLength(1)
    await first.users.delete(ADA)
    expect(contentsOf((await third.messages.list('c')).items)).toEqual(['in 3'])
    expect(await third.sweep()).toMatchObject({ memories: 0 })
  })

  it('stands in a URL too, and is kept where the connection was lost', async () => {
    const prefix = freshPrefix()
    const [first, second] = [create({ prefix }), create({ prefix, url: `${server.url}/2` })]
    await talk(second, 'c', ['in 2'])
    await tell(server.url, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await talk(second, 'd', ['in 2 too'])
    expect(await second.statistics()).toMatchObject({ conversations: 2 })
    expect(await first.statistics()).toMatchObject({ conversations: 0 })
  })

  it('that the server has not is no place for vectors either', async () => {
    const cache = new RedisEmbeddingCache({ url: `${server.url}/99` })
    const entry = { hash: Uint8Array.of(1), vector: Float32Array.of(1) }
    expect((await refused(cache.putMany('a', [entry]), 'connection')).message).toContain('option db')
    await cache.close()
  })
})

describe('sentinels that ask for a password', () => {
  const SECRET = 'correct horse'
  let group: RedisSentinel
  beforeAll(async () => {
    group = await startRedisSentinel()
    await tell(group.sentinel.port, 'ACL', 'SETUSER', 'default', 'resetpass', `>${SECRET}`)
  })
  afterAll(() => group.stop())
  /** Opens nothing, says why in time, and can be closed. */
  async function fails(options: Partial<RedisOptions>): Promise<void> {
    const memory = create({ connectTimeout: 500, callTimeout: 1000, ...options })
    const started = performance.now()
    const error = await refused(memory.connect(), 'connection')
    expect(performance.now() - started).toBeLessThan(3000)
    expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('sentinelPassword') })
    expect(inspect(error, { depth: 10 }) + error.stack).not.toContain(SECRET)
    await memory.close()
  }
  const place = () => ({ url: undefined, sentinels: [group.sentinel], sentinelName: group.name })

  it('are asked with sentinelPassword, which the server they name does not need', async () => {
    const memory = create({ ...place(), sentinelPassword: SECRET })
    await talk(memory, 'c', ['x'])
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['x'])
    expect(Number(await tell(group.primary.url, 'DBSIZE'))).toBeGreaterThan(0)
  })

  it('are not opened without it, or with another one; no error repeats it', async () => {
    for (const wrong of [
      {},
      { sentinelPassword: `not the ${SECRET}` },
      { sentinelPassword: SECRET, sentinelName: 'x' },
    ])
      await fails({ ...place(), ...wrong })
  })

  it('and that are absent, or accept and answer nothing, are not waited for without an end', async () => {
    await fails({ ...place(), sentinels: [{ host: '127.0.0.1', port: await freePort() }] })
    await using proxy = await startProxy(group.sentinel)
    proxy.freeze()
    await fails({ ...place(), sentinels: [{ host: '127.0.0.1', port: proxy.port }] })
    await fails({ ...place(), sentinels: [{ host: '127.0.0.1', port: proxy.port }], events: true })
    const sentinels = [{ host: '127.0.0.1', port: proxy.port }, group.sentinel]
    const memory = create({ ...place(), sentinels, sentinelPassword: SECRET, connectTimeout: 500 })
    expect(await memory.users.get(ADA)).toBeNull()
  })
})
