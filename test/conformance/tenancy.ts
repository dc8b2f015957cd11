import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { refused } from './expecting.js'
import { ADA, collect, contentsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeTenancy(harness: Harness): void {
  suite(harness, 'tenancy: required', ['messages'], itRequiresTenants)
}

/** Calls that say nothing of a tenant. */
const UNSCOPED: readonly ((memory: Memory) => unknown)[] = [
  (m) => m.users.get(ADA),
  (m) => m.users.create({ id: ADA }),
  (m) => collect(m.users.each()),
  (m) => m.conversations.list(),
  (m) => m.messages.append('c', says('a'), { userId: ADA }),
  (m) => m.messages.list('c'),
  (m) => collect(m.messages.each('c')),
  (m) => m.sessions.latest(ADA),
  (m) => m.memories.recall({}),
  (m) => m.documents.upsert({ namespace: 'n', id: 'd', content: 'x' }),
  (m) => m.cache.get('k'),
  (m) => m.cache.set('k', 1),
  (m) => m.cache.expire('k', 1),
  (m) => m.cache.getOrLoad('k', async () => 1),
  (m) => m.events.on('*', () => {}),
  (m) => m.events.consume('n', () => {}),
  (m) => m.rateLimiter({ points: 1, duration: 1 }),
  (m) => m.search({ text: 'x' }),
  (m) => m.statistics(),
  (m) => m.purgeExpired(),
  (m) => m.unitOfWork(async () => 1),
  (m) => m.storeMessage('c', says('a'), { userId: ADA }),
  (m) => m.retrieveMessages('c'),
  (m) => m.getStatistics(),
  (m) => m.clearHistory('c'),
]

function itRequiresTenants(ground: Ground): void {
  it('a call outside forTenant is refused and writes nothing', async () => {
    const memory = await ground.open({ tenancy: 'required' })
    for (const call of UNSCOPED) await refused(() => call(memory), 'validation', 'tenantId')
    const { items } = await memory.forTenant('default').messages.list('c')
    expect(items).toEqual([])
  })

  it('what concerns the store and not a tenant works without one', async () => {
    const memory = await ground.open({ tenancy: 'required' })
    expect(await memory.healthCheck()).toBe(true)
    expect(await memory.sweep()).toMatchObject({ messages: 0 })
    await memory.connect()
    await memory.close()
    expect(await memory.healthCheck()).toBe(false)
  })

  it('inside forTenant everything works, in that tenant alone', async () => {
    const memory = await ground.open({ tenancy: 'required' })
    const [acme, other] = [memory.forTenant('acme'), memory.forTenant('default')]
    await talk(acme, 'c', ['a'])
    expect(acme.tenantId).toBe('acme')
    expect(contentsOf((await acme.messages.list('c')).items)).toEqual(['a'])
    expect((await other.messages.list('c')).items).toEqual([])
    if (!ground.lacks('atomicUnit')) {
      await acme.unitOfWork(async (unit) => {
        expect(unit.tenantId).toBe('acme')
        await unit.messages.append('c', says('b'))
      })
      expect(contentsOf((await acme.messages.list('c')).items)).toEqual(['a', 'b'])
    }
  })
}
