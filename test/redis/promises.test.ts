import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TenantKeys } from '../../src/backends/redis/keys.js'
import type { Memory } from '../../src/contract/memory.js'
import { failure, refused } from '../conformance/expecting.js'
import { ADA, contentsOf, numbered, says, talk } from '../conformance/fixtures.js'
import { type Server, startRedis } from '../ground/index.js'
import { gate } from '../support/gate.js'
import { adversarialNames } from '../support/names.js'
import { type FaultyProxy, startProxy } from '../support/proxy.js'
import { freshPrefix, memories } from './support/memories.js'

let server: Server
let admin: Redis
beforeAll(async () => {
  server = await startRedis({ own: true })
  admin = new Redis(server.url)
})
afterAll(async () => {
  admin.disconnect()
  await server.stop()
})
const { create, reopen, dispose } = memories(() => ({ url: server.url }))
afterEach(dispose)

describe('a unit that holds a record', () => {
  /** A unit that has written to `c` and stays open. */
  async function held(memory: Memory) {
    const [written, finish] = [gate(), gate()]
    const done = failure(
      memory.unitOfWork(async (unit) => {
        await unit.messages.append('c', says('held'))
        written.open()
        await finish.opened
        await unit.messages.append('c', says('held too'))
      }),
    )
    await written.opened
    return {
      async finish(): Promise<unknown> {
        finish.open()
        return done
      },
    }
  }

  it('and whose lock was taken away meanwhile is refused, and leaves nothing', async () => {
    const prefix = freshPrefix()
    const memory = create({ prefix })
    await talk(memory, 'c', ['first'])
    const unit = await held(memory)
    const keys = new TenantKeys(prefix, 'default')
    await admin.del(keys.lock(keys.conversation('c')))
    await memory.messages.append('c', says('overtakes'))
    expect(await unit.finish()).toMatchObject({ code: 'timeout', retryable: true })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['first', 'overtakes'])
  })

  it('makes others wait, in their order, and not for longer than writeTimeout', async () => {
    const memory = create({ writeTimeout: 300 })
    await talk(memory, 'c', ['first'])
    const unit = await held(memory)
    const late = await refused(memory.messages.append('c', says('too late')), 'timeout')
    expect(late.retryable).toBe(true)
    await refused(memory.conversations.update('c', { title: 'too late' }), 'timeout')
    const waiting = numbered(5).map((content) => memory.messages.append('c', says(content)))
    expect(await unit.finish()).toBeNull()
    await Promise.all(waiting)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['first', 'held', 'held too', ...numbered(5)])
    expect((await memory.conversations.get('c'))?.title).toBeNull()
  })

  it('and waits for one that waits for it, ends in time, and the other can go on', async () => {
    const memory = create({ writeTimeout: 400 })
    await talk(memory, 'a', ['x'])
    await talk(memory, 'b', ['x'])
    const both = [gate(), gate()] as const
    const crossing = (mine: string, other: string, i: 0 | 1) =>
      failure(
        memory.unitOfWork(async (unit) => {
          await unit.messages.append(mine, says(mine))
          both[i].open()
          await both[1 - i]?.opened
          await unit.messages.append(other, says(other))
        }),
      )
    const outcomes = await Promise.all([crossing('a', 'b', 0), crossing('b', 'a', 1)])
    const failed = outcomes.filter((outcome) => outcome !== null)
    expect(failed.length).toBeGreaterThan(0)
    for (const error of failed) expect(error).toMatchObject({ code: 'timeout', retryable: true })
    const left = await memory.messages.list('a')
    expect(left.items).toHaveLength(1 + (2 - failed.length))
    expect(await admin.keys('*:k:*')).toEqual([])
  })

  it('and whose process is killed lets it go by itself', async () => {
    const prefix = freshPrefix()
    const memory = create({ prefix })
    await talk(memory, 'c', ['first'])
    const child = fork(fileURLToPath(new URL('support/holding-child.ts', import.meta.url)), [server.url, prefix], {
      execArgv: ['--import', 'tsx'],
    })
    await once(child, 'message')
    const keys = new TenantKeys(prefix, 'default')
    const lock = keys.lock(keys.conversation('c'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = await admin.pttl(lock)
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(15_000)
    // As if that time had passed.
    await admin.pexpire(lock, 100)
    await memory.messages.append('c', says('goes on'))
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['first', 'goes on'])
  })

  it('of many writers of one record, in several instances, each takes effect', async () => {
    const memory = create()
    await memory.users.create({ id: ADA })
    const others = [memory, reopen(memory), reopen(memory)]
    await Promise.all(
      numbered(45).map((key, i) => (others[i % 3] as Memory).users.update(ADA, { metadata: { [key]: i } })),
    )
    const user = await memory.users.get(ADA)
    expect(user?.version).toBe(46)
    expect(Object.keys(user?.metadata ?? {})).toHaveLength(45)
  })

  it('a user deleted beside the making of what is theirs leaves no orphan', async () => {
    for (let round = 0; round < 5; round++) {
      const prefix = freshPrefix()
      const memory = create({ prefix })
      const second = reopen(memory)
      await talk(memory, 'c', ['x'])
      await Promise.allSettled([
        second.users.delete(ADA),
        ...numbered(10).flatMap((id) => [
          memory.memories.add({ id: `m${id}`, userId: ADA, content: id, conversationId: 'c' }),
          memory.sessions.create({ id: `s${id}`, userId: ADA }),
          talk(memory, `c${id}`, ['y']),
        ]),
      ])
      const statistics = await memory.statistics()
      const mine = await memory.statistics({ userId: ADA })
      if (statistics.users === 0)
        expect(statistics).toMatchObject({ conversations: 0, messages: 0, memories: 0, sessions: 0 })
      expect({ ...mine, documents: 0 }).toEqual(statistics)
      const found = await memory.memories.list({ limit: 100 })
      for (const { conversationId } of found.items)
        if (conversationId !== null) expect(await memory.conversations.get(conversationId)).not.toBeNull()
    }
  })
})

describe('round trips', () => {
  let proxy: FaultyProxy
  beforeAll(async () => {
    proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  })
  afterAll(() => proxy.stop())

  it('are as few as can be', async () => {
    const memory = create({ url: proxy.url('redis') })
    await talk(memory, 'c', ['first'])
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    const turns = async (work: () => Promise<unknown>): Promise<number> => {
      // Once before, so that the server knows the scripts.
      await work()
      proxy.reset()
      await work()
      return proxy.roundTrips()
    }
    expect(await turns(() => memory.messages.append('c', says('x')))).toBe(1)
    expect(
      await turns(() =>
        memory.messages.append(
          'c',
          numbered(100).map((text) => says(text)),
        ),
      ),
    ).toBe(1)
    expect(await turns(() => memory.messages.list('c', { last: 50 }))).toBe(1)
    expect(await turns(() => memory.memories.get('m'))).toBe(1)
    expect(await turns(() => memory.memories.update('m', { importance: 0.6 }))).toBe(2)
    expect(await turns(() => memory.memories.list({ limit: 20 }))).toBe(2)
    expect(await turns(() => memory.cache.get('k'))).toBe(1)
    expect(await turns(() => memory.unitOfWork((unit) => unit.messages.append('c', says('x'))))).toBeLessThanOrEqual(3)
    const many = () => Promise.all(numbered(64).map((text) => memory.messages.append('c', says(text))))
    expect(await turns(many)).toBeLessThan(16)
  })

  it('send no KEYS and no SCAN, whatever is asked', async () => {
    const memory = create({ events: true, ttl: 60, slidingTtl: true })
    await admin.config('RESETSTAT')
    await talk(memory, 'c', [says('a', { id: 'a' }), says('b', { id: 'b' })])
    await memory.messages.upsert('c', says('a', { id: 'a' }))
    await memory.messages.branch('c', 'a')
    await memory.sessions.create({ id: 's', userId: ADA, conversationId: 'c' })
    await memory.sessions.latest(ADA)
    await memory.memories.addMany([{ userId: ADA, content: 'x', conversationId: 'c' }])
    await memory.memories.recall({ userId: ADA })
    await memory.statistics()
    await memory.context({ userId: ADA, conversationId: 'c' })
    await memory.users.list()
    await memory.conversations.list()
    await memory.messages.clear('c')
    await memory.conversations.delete('c')
    await memory.users.delete(ADA)
    await memory.sweep()
    const stats = await admin.info('commandstats')
    expect(stats).toContain('cmdstat_evalsha')
    expect(stats).not.toMatch(/cmdstat_(keys|scan|hscan|sscan|zscan|smembers|flush)/)
  })
})

it('what is written under one prefix and tenant is seen from no other', async () => {
  const names = [...adversarialNames(60), 'a', 'a.', '.a', 'a.b', 'b', '.b', 'YQ', 'YQ.Yg']
  const name = fc.constantFrom(...names)
  const property = fc.asyncProperty(name, name, name, name, name, async (prefix, tenant, otherPrefix, other, id) => {
    if (prefix === otherPrefix && tenant === other) return
    const run = freshPrefix()
    const here = create({ prefix: `${prefix}`.slice(0, 60) + run }).forTenant(tenant)
    const there = create({ prefix: `${otherPrefix}`.slice(0, 60) + run }).forTenant(other)
    if (prefix.slice(0, 60) === otherPrefix.slice(0, 60) && tenant === other) return
    await talk(here, id, [says('mine', { id })], id)
    await here.memories.add({ id, userId: id, content: 'mine', tags: [id], metadata: { [id]: id } })
    await here.sessions.create({ id, userId: id })
    await here.cache.set(id, 'mine')
    await here.rateLimiter({ name: id, points: 1, duration: 5 }).consume(id)
    expect(await there.statistics()).toMatchObject({
      users: 0,
      conversations: 0,
      messages: 0,
      memories: 0,
      sessions: 0,
    })
    expect([await there.users.get(id), await there.messages.get(id, id), await there.memories.get(id)]).toEqual([
      null,
      null,
      null,
    ])
    expect((await there.memories.list({ userId: id, tags: [id] })).items).toEqual([])
    expect(await there.cache.get(id)).toBeNull()
    expect(await there.rateLimiter({ name: id, points: 1, duration: 5 }).peek(id)).toMatchObject({ allowed: true })
    await refused(there.users.delete(id), 'not-found')
    await there.cache.delete(id)
    expect(await here.cache.get(id)).toBe('mine')
    expect((await here.memories.list({ userId: id, tags: [id], metadata: { [id]: id } })).items).toHaveLength(1)
    await dispose()
  })
  await fc.assert(property, { numRuns: 60 })
})
