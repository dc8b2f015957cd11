import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { TenantKeys } from '../../src/backends/redis/keys.js'
import type { Memory } from '../../src/contract/memory.js'
import { ADA, contentsOf, numbered, says, talk } from '../conformance/fixtures.js'
import { tell } from '../ground/redis-acl.js'
import { type RedisCluster, startRedisCluster } from '../ground/redis-cluster.js'
import { promoted, startRedisSentinel } from '../ground/redis-sentinel.js'
import { adversarialNames } from '../support/names.js'
import { freshPrefix, memories } from './support/memories.js'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startRedisCluster()
})
afterAll(() => cluster.stop())
const { create, reopen, dispose } = memories(() => ({
  cluster: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
}))
afterEach(dispose)

const slotOf = async (key: string): Promise<number> =>
  Number(await tell(cluster.urls[0] as string, 'CLUSTER', 'KEYSLOT', key))

it('every verb works on tenants of all nodes, and all keys of one lie in one slot', async () => {
  const prefix = freshPrefix()
  const memory = create({ prefix, events: true })
  const tenants = [...adversarialNames(20), '}', '{', '{}', '{}}', 'a}b{c', ':']
  await Promise.all(
    tenants.map(async (name) => {
      const tenant = memory.forTenant(name)
      await talk(tenant, 'c', ['one', 'two'])
      await tenant.unitOfWork(async (unit) => {
        await unit.messages.append('c', says('three'))
        await unit.memories.add({ userId: ADA, content: name.slice(0, 100), conversationId: 'c' })
        await unit.sessions.create({ userId: ADA, conversationId: 'c' })
      })
      await tenant.cache.set('k', name)
      expect(await tenant.rateLimiter({ points: 1, duration: 5 }).consume('u')).toMatchObject({ allowed: true })
      expect(contentsOf((await tenant.messages.list('c')).items)).toEqual(['one', 'two', 'three'])
      expect(await tenant.statistics()).toMatchObject({ messages: 3, memories: 1, sessions: 1 })
      expect(await tenant.cache.get('k')).toBe(name)
    }),
  )
  const slots = new Map<string, Set<number>>()
  for (const url of cluster.urls)
    for (const key of (await tell(url, 'KEYS', 'bruno:*')) as string[]) {
      const tag = /\{(.*?)\}/.exec(key)?.[1] as string
      slots.set(tag, (slots.get(tag) ?? new Set()).add(await slotOf(key)))
    }
  for (const [tag, found] of slots) expect(found.size, tag).toBe(1)
  const nodes = new Set(
    await Promise.all([...slots.values()].flatMap((s) => [...s]).map((slot) => cluster.ownerOf(slot))),
  )
  expect(nodes.size).toBe(3)
})

it('events reach listeners and consumers, whichever node the tenant lies on', async () => {
  const memory = create({ events: true })
  const heard = new Set<string>()
  const worked = new Set<string>()
  const names = numbered(6, 't')
  const all = names.flatMap((name) => {
    const { events } = memory.forTenant(name)
    return [
      events.on('user.created', ({ tenantId }) => void heard.add(tenantId)),
      events.consume('w', ({ tenantId }) => void worked.add(tenantId)),
    ]
  })
  await Promise.all(all.map(({ ready }) => ready))
  for (const name of names) await memory.forTenant(name).users.create({ id: ADA })
  await expect.poll(() => [heard.size, worked.size], { timeout: 10_000 }).toEqual([6, 6])
})

/** Appends and units without a pause, until told to stop; answers what was acknowledged, in order. */
function busy(memory: Memory) {
  let stopped = false
  const acknowledged: string[] = []
  const done = (async () => {
    for (let i = 0; !stopped; i++) {
      if (i % 3 === 0)
        await memory.unitOfWork(async (unit) => {
          await unit.messages.append('c', says(`${i}`))
          await unit.memories.add({ id: `m${i}`, userId: ADA, content: 'x' })
        })
      else await memory.messages.append('c', says(`${i}`))
      acknowledged.push(`${i}`)
    }
  })()
  return {
    acknowledged,
    stop: async () => {
      stopped = true
      await done
    },
  }
}

it('a slot that moves during calls loses and doubles nothing', async () => {
  const prefix = freshPrefix()
  const memory = create({ prefix })
  await talk(memory, 'c', ['first'])
  const slot = await slotOf(new TenantKeys(prefix, 'default').conversation('c'))
  const work = busy(memory)
  for (const step of [1, 2]) {
    const from = await cluster.ownerOf(slot)
    await cluster.moveSlot(slot, (from + step) % 3, {
      betweenKeys: () => new Promise((resolve) => setTimeout(resolve, 15)),
    })
  }
  await expect.poll(() => work.acknowledged.length, { timeout: 15_000 }).toBeGreaterThan(20)
  await work.stop()
  const stored: string[] = []
  for await (const { content } of memory.messages.each('c')) stored.push(content)
  expect(stored).toEqual(['first', ...work.acknowledged])
  const units = work.acknowledged.filter((_, i) => i % 3 === 0).length
  expect((await memory.statistics()).memories).toBe(units)
})

it('a node that is killed and started again is waited for, and nothing acknowledged is lost', async () => {
  const prefix = freshPrefix()
  const memory = create({ prefix, callTimeout: 15_000 })
  await talk(memory, 'c', ['first'])
  const slot = await slotOf(new TenantKeys(prefix, 'default').conversation('c'))
  const node = cluster.nodes[await cluster.ownerOf(slot)]
  const work = busy(memory)
  await new Promise((resolve) => setTimeout(resolve, 100))
  await node?.kill()
  await node?.start()
  await cluster.agreed()
  const before = work.acknowledged.length
  await expect.poll(() => work.acknowledged.length, { timeout: 15_000 }).toBeGreaterThan(before)
  await work.stop()
  const second = reopen(memory)
  const stored: string[] = []
  for await (const { content } of second.messages.each('c')) stored.push(content)
  expect(stored).toEqual(['first', ...work.acknowledged])
})

it('sentinels lead to the replica that was promoted', async () => {
  await using group = await startRedisSentinel()
  const memory = create({
    cluster: undefined,
    sentinels: [group.sentinel],
    sentinelName: group.name,
    callTimeout: 15_000,
    durability: 'none',
  })
  await talk(memory, 'c', ['before'])
  await expect
    .poll(async () => String(await tell(group.replica.url, 'INFO', 'replication')), { timeout: 5000 })
    .toContain('master_link_status:up')
  await expect
    .poll(async () => Number(await tell(group.replica.url, 'DBSIZE')), { timeout: 5000 })
    .toBe(Number(await tell(group.primary.url, 'DBSIZE')))
  await group.primary.kill()
  const appended = memory.messages.append('c', says('after'))
  await promoted(group, group.replica)
  await appended
  expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['before', 'after'])
})
