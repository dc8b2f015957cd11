import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RedisClient } from '../../src/backends/redis/client.js'
import { durabilityOf } from '../../src/backends/redis/durability.js'
import { TenantKeys, tenantsKey } from '../../src/backends/redis/keys.js'
import { addTenant, knownTenants } from '../../src/backends/redis/tenants.js'
import { refused } from '../conformance/expecting.js'
import { ADA, contentsOf, idsOf, says, talk } from '../conformance/fixtures.js'
import { type Server, startRedis } from '../ground/index.js'
import { manualClock } from '../support/clock.js'
import { adversarialNames } from '../support/names.js'
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
const { create, dispose } = memories(() => ({ url: server.url }))
afterEach(dispose)

const near = (at: Date | null | undefined, ms: number): void => {
  expect(Math.abs((at?.getTime() ?? 0) - Date.now() - ms)).toBeLessThan(3000)
}

describe('the default time', () => {
  it('ends conversations, sessions and memories; an earlier end of their own wins, a later one does not', async () => {
    const memory = create({ ttl: 60 })
    const [soon, late] = [new Date(Date.now() + 10_000), new Date(Date.now() + 600_000)]
    for (const expiresAt of [undefined, soon, late]) {
      const made = [
        await memory.conversations.create({ userId: ADA, expiresAt }),
        await memory.sessions.create({ userId: ADA, expiresAt }),
        await memory.memories.add({ userId: ADA, content: 'x', expiresAt }),
      ]
      for (const record of made) near(record.expiresAt, expiresAt === soon ? 10_000 : 60_000)
    }
    const { id } = await memory.memories.add({ userId: ADA, content: 'x', expiresAt: soon })
    near((await memory.memories.update(id, { expiresAt: null })).expiresAt, 60_000)
    near((await memory.memories.update(id, { expiresAt: late })).expiresAt, 60_000)
    near((await memory.memories.get(id))?.expiresAt, 60_000)
  })

  it('stands still without sliding, and slides only the default end with it', async () => {
    const clock = manualClock(Date.now())
    for (const slidingTtl of [false, true]) {
      const memory = create({ ttl: 60, slidingTtl, clock: clock.now })
      const own = clock.date(80_000)
      await talk(memory, 'c', ['a'])
      await memory.conversations.create({ id: 'bounded', userId: ADA, expiresAt: own })
      await memory.sessions.create({ id: 's', userId: ADA })
      clock.advance(30_000)
      await memory.messages.append('c', says('b'))
      await memory.messages.append('bounded', says('b'))
      await memory.unitOfWork((unit) => unit.messages.append('bounded', says('in a unit')))
      await memory.sessions.touch('s')
      const moved = slidingTtl ? 60_000 : 30_000
      expect((await memory.conversations.get('c'))?.expiresAt).toEqual(clock.date(moved))
      expect((await memory.sessions.get('s'))?.expiresAt).toEqual(clock.date(moved))
      const bounded = (await memory.conversations.get('bounded'))?.expiresAt
      expect(bounded).toEqual(slidingTtl ? own : clock.date(moved))
      clock.advance(45_000)
      expect((await memory.conversations.get('c')) !== null).toBe(slidingTtl)
      expect(await memory.messages.list('c').then(({ items }) => items.length)).toBe(slidingTtl ? 2 : 0)
      expect(idsOf((await memory.sessions.list({ active: true })).items)).toEqual(slidingTtl ? ['s'] : [])
      clock.advance(20_000)
      expect((await memory.conversations.get('bounded')) === null).toBe(true)
      await memory.close()
    }
  })

  it('slides listings along, so that a conversation in use stays in them', async () => {
    const prefix = freshPrefix()
    const memory = create({ prefix, ttl: 1, slidingTtl: true })
    await talk(memory, 'c', ['0'])
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300))
      await memory.messages.append('c', says(`${i}`))
    }
    expect(idsOf((await memory.conversations.list({ userId: ADA })).items)).toEqual(['c'])
    expect(idsOf((await memory.conversations.list()).items)).toEqual(['c'])
    expect(await memory.statistics()).toMatchObject({ conversations: 1, messages: 7 })
  })
})

describe('what has expired', () => {
  it('is taken away by Redis itself, listings included, and only users stay', async () => {
    const prefix = freshPrefix()
    const memory = create({ prefix, ttl: 1 })
    await talk(memory, 'c', ['a', 'b'])
    await memory.sessions.create({ userId: ADA, conversationId: 'c' })
    await memory.memories.add({ userId: ADA, content: 'x', conversationId: 'c' })
    const keys = new TenantKeys(prefix, 'default')
    const head = keys.users.slice(0, -1)
    const left = async () =>
      (await admin.keys(`${head.replace(/[[\]?*\\]/g, '\\$&')}*`))
        .filter((key) => !/:[tk]:/.test(key) && key !== keys.due && !key.endsWith('purge'))
        .sort()
    expect((await left()).length).toBeGreaterThan(6)
    await expect.poll(left, { timeout: 5000 }).toEqual([keys.users, keys.user(ADA)].sort())
    expect(await memory.statistics()).toMatchObject({ users: 1, conversations: 0, messages: 0, memories: 0 })
    const report = await memory.purgeExpired()
    expect(report).toMatchObject({ conversations: 1, sessions: 1, memories: 1 })
    expect(await admin.exists(keys.due)).toBe(0)
  })

  it('leaves entries beside what lives on, which no listing and no count shows', async () => {
    const prefix = freshPrefix()
    const memory = create({ prefix })
    const soon = () => new Date(Date.now() + 300)
    await memory.conversations.create({ id: 'lives', userId: ADA })
    await memory.conversations.create({ id: 'c', userId: ADA, expiresAt: soon() })
    await memory.memories.add({ id: 'lives', userId: ADA, content: 'x' })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x', expiresAt: soon() })
    await memory.sessions.create({ id: 's', userId: ADA, conversationId: 'lives', expiresAt: soon() })
    const keys = new TenantKeys(prefix, 'default')
    await expect.poll(() => admin.exists(keys.conversation('c'), keys.memory('m'), keys.session('s'))).toBe(0)
    expect(await admin.zcard(keys.conversations())).toBe(2)
    for (const options of [{}, { includeExpired: true }]) {
      expect(idsOf((await memory.conversations.list(options)).items)).toEqual(['lives'])
      expect(idsOf((await memory.memories.list(options)).items)).toEqual(['lives'])
    }
    expect(await memory.statistics()).toMatchObject({ conversations: 1, memories: 1, sessions: 0 })
    await memory.conversations.create({ id: 'c', userId: 'bob' })
    await memory.memories.add({ id: 'm', userId: 'bob', content: 'new' })
    expect(idsOf((await memory.conversations.list({ userId: ADA })).items)).toEqual(['lives'])
    expect(idsOf((await memory.conversations.list({ userId: 'bob' })).items)).toEqual(['c'])
    await memory.purgeExpired()
    expect(contentsOf((await memory.memories.list({ userId: 'bob' })).items)).toEqual(['new'])
    expect(await memory.statistics()).toMatchObject({ conversations: 2, memories: 2 })
    expect(await admin.zcard(keys.conversations(ADA))).toBe(1)
    expect(await admin.ttl(keys.conversations())).toBe(-1)
  })

  it('is cleaned up after in the background, tenant by tenant', async () => {
    const { Tidying } = await import('../../src/backends/redis/tidy.js')
    const purged: string[] = []
    const tidying = new Tidying(async (tenantId) => {
      purged.push(tenantId)
      if (tenantId === 'b') throw new Error('later')
    })
    for (const name of ['a', 'b', 'c']) tidying.add(name)
    await tidying.round()
    expect(purged).toEqual(['a', 'b', 'c'])
    await tidying.stop()
    await tidying.round()
    expect(purged).toHaveLength(3)
  })
})

describe('a sweep', () => {
  it('reads the tenants page by page, whatever they are called', async () => {
    const prefix = freshPrefix()
    const names = [...new Set([...adversarialNames(60), '(', '[', '(a', '[a', '-', '+', '\u{10ffff}', '\uffff'])]
    const client: Pick<RedisClient, 'call'> = { call: (work) => work(admin) }
    for (const name of names) await addTenant(client, prefix, name)
    for (const page of [1, 2, 7, names.length, 1000]) {
      const found: string[] = []
      for await (const tenantId of knownTenants(client, prefix, page)) found.push(tenantId)
      expect(found).toHaveLength(names.length)
      expect(new Set(found)).toEqual(new Set(names))
    }
  })

  it('goes over more tenants than fit a page', async () => {
    const prefix = freshPrefix()
    const clock = manualClock(Date.now())
    const memory = create({ prefix, clock: clock.now })
    const last = memory.forTenant('tenant 9999')
    await last.memories.add({ userId: ADA, content: 'x', expiresAt: clock.date(1000) })
    for (let i = 0; i < 1001; i++) void admin.zadd(tenantsKey(prefix), 0, `tenant ${i}`)
    clock.advance(2000)
    await admin.config('RESETSTAT')
    expect(await memory.sweep()).toMatchObject({ memories: 1 })
    expect(await admin.info('commandstats')).toContain('cmdstat_zrangebylex:calls=3,')
  })
})

describe('durability', () => {
  it('is as much as the server’s settings promise', () => {
    const of = (appendonly: string, appendfsync: string, policy: string) =>
      durabilityOf(new Map(Object.entries({ appendonly, appendfsync, 'maxmemory-policy': policy })))
    expect(of('yes', 'always', 'noeviction')).toBe('power')
    expect(of('yes', 'everysec', 'noeviction')).toBe('process')
    expect(of('yes', 'no', 'noeviction')).toBe('process')
    for (const policy of ['allkeys-lru', 'volatile-ttl', '']) expect(of('yes', 'always', policy)).toBe('none')
    expect(of('no', 'always', 'noeviction')).toBe('none')
    expect(durabilityOf(new Map())).toBe('none')
  })

  it('is read when it is opened, and more than there is, is refused', async () => {
    for (const [fsync, policy, found] of [
      ['everysec', 'noeviction', 'process'],
      ['always', 'noeviction', 'power'],
      ['always', 'allkeys-lru', 'none'],
    ] as const) {
      await admin.config('SET', 'appendfsync', fsync)
      await admin.config('SET', 'maxmemory-policy', policy)
      const memory = create()
      await memory.connect()
      expect(memory.capabilities.durability).toBe(found)
      for (const wanted of ['none', 'process', 'power'] as const) {
        const asking = create({ durability: wanted })
        const rank = ['none', 'process', 'power']
        if (rank.indexOf(wanted) <= rank.indexOf(found)) await asking.connect()
        else expect((await refused(asking.connect(), 'configuration')).message).toContain(`'${found}'`)
      }
    }
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
  })
})
