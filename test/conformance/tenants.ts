import { expect, it } from 'vitest'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import { adversarialNames } from '../support/names.js'
import { pick, seeded } from '../support/random.js'
import { failure, isTyped, refused } from './expecting.js'
import { byBytes, contentsOf, idsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

const NEEDS = ['users', 'conversations', 'messages', 'sessions', 'memories'] as const
const NAMES = adversarialNames(200)

export function describeTenants(harness: Harness): void {
  suite(harness, 'tenants', NEEDS, (ground) => {
    itKeepsTenantsApart(ground)
    itKeepsUsersApart(ground)
    itRefusesNames(ground)
  })
}

/** The same ids in every tenant; only the contents say whose they are. */
async function settle(memory: Memory, tenantId: string): Promise<void> {
  const write = async (unit: Pick<TenantMemory, 'messages' | 'sessions' | 'memories' | 'documents'>) => {
    await talk(
      unit,
      'c',
      [says(`shared words of ${tenantId}`, { id: 'm' }), says('second', { id: 'n', parentId: 'm' })],
      'u',
    )
    await unit.sessions.create({ id: 's', userId: 'u', conversationId: 'c', state: { tenantId } })
    await unit.memories.add({ id: 'e', userId: 'u', conversationId: 'c', content: `shared ${tenantId}`, tags: ['t'] })
    const document = { namespace: 'ns', id: 'd', content: `shared ${tenantId}`, metadata: { tenantId } }
    if (memory.capabilities.documents) await unit.documents.upsert(document)
  }
  const tenant = memory.forTenant(tenantId)
  await (memory.capabilities.atomicUnit ? tenant.unitOfWork(write) : write(tenant))
}

/** Everything that a tenant can see, by every sort of read. */
async function seen(memory: Memory, tenantId: string): Promise<unknown> {
  const tenant = memory.forTenant(tenantId)
  const { textSearch, documents } = memory.capabilities
  const hits = textSearch ? await tenant.search({ text: 'shared words', limit: 100 }) : []
  return {
    statistics: await tenant.statistics(),
    users: (await tenant.users.list()).items,
    conversations: (await tenant.conversations.list()).items,
    messages: (await tenant.messages.list('c')).items,
    sessions: (await tenant.sessions.list()).items,
    latest: await tenant.sessions.latest('u'),
    memories: (await tenant.memories.list()).items,
    ...(documents && {
      documents: (await tenant.documents.list('ns')).items,
      namespaces: (await tenant.documents.namespaces()).items,
    }),
    cache: await tenant.cache.get('k'),
    // In no order: ranking is a promise of its own.
    hits: hits
      .map((hit) => [hit.kind, hit.record.id, hit.record] as const)
      .sort(([a, i], [b, j]) => byBytes(a + i, b + j)),
  }
}

type Change = (tenant: TenantMemory) => Promise<unknown>
const CHANGES: readonly Change[] = [
  (t) => t.users.update('u', { name: 'changed' }),
  (t) => t.users.delete('u'),
  (t) => t.conversations.update('c', { title: 'changed' }),
  (t) => t.conversations.delete('c'),
  (t) => t.messages.append('c', says('shared words, added')),
  (t) => t.messages.upsert('c', says('shared words, changed', { id: 'm' })),
  (t) => t.messages.update('c', 'm', { content: 'changed' }),
  (t) => t.messages.delete('c', 'm'),
  (t) => t.messages.clear('c', { keepSystem: false }),
  (t) => t.messages.branch('c', 'n', { id: 'b' }),
  (t) => t.sessions.update('s', { state: { changed: true } }),
  (t) => t.sessions.end('s'),
  (t) => t.sessions.delete('s'),
  (t) => t.memories.update('e', { content: 'changed' }),
  (t) => t.memories.recall({ userId: 'u' }),
  (t) => t.memories.delete('e'),
  (t) => t.cache.set('k', 'changed'),
  (t) => t.cache.delete('k'),
  (t) => t.purgeExpired(),
  (t) => t.users.create({ id: 'another' }),
]
const DOCUMENT_CHANGES: readonly Change[] = [
  (t) => t.documents.upsert({ namespace: 'ns', id: 'd', content: 'changed' }),
  (t) => t.documents.delete('ns', 'd'),
  (t) => t.documents.deleteNamespace('ns'),
]
const changesOf = (ground: Ground): readonly Change[] =>
  ground.lacks('documents') ? CHANGES : [...CHANGES, ...DOCUMENT_CHANGES]

function itKeepsTenantsApart(ground: Ground): void {
  it('200 tenants with adversarial names: nothing of one is seen or changed by another', {
    timeout: 60_000,
  }, async () => {
    const memory = await ground.open()
    for (const name of NAMES) await settle(memory, name)
    for (const name of NAMES) await memory.forTenant(name).cache.set('k', name)
    for (const name of NAMES) {
      const tenant = memory.forTenant(name)
      expect(contentsOf((await tenant.memories.list()).items)).toEqual([`shared ${name}`])
      expect(await tenant.statistics()).toMatchObject({
        users: 1,
        conversations: 1,
        messages: 2,
        memories: 1,
        documents: ground.lacks('documents') ? 0 : 1,
      })
      expect((await tenant.messages.get('c', 'm'))?.tenantId).toBe(name)
    }
    const random = seeded(1)
    for (let i = 0; i < 150; i++) {
      const [one, other] = [pick(random, NAMES), pick(random, NAMES)]
      if (one === other) continue
      const before = await seen(memory, other)
      const error = await failure(pick(random, changesOf(ground))(memory.forTenant(one)))
      // What an earlier round deleted may be missing; that is no matter of the other tenant's.
      if (error !== null && !(isTyped(error) && ['not-found', 'conflict'].includes(error.code))) throw error
      expect(await seen(memory, other), `${JSON.stringify(one)} and ${JSON.stringify(other)}`).toEqual(before)
    }
  })

  it('every change made in one tenant leaves its neighbours as they were', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const names = ['a', 'A', 'a:', 'a%', 'a_', 'a ', '\u0430', '\uff41']
    for (const name of names) await settle(memory, name)
    const before = await Promise.all(names.slice(1).map((name) => seen(memory, name)))
    for (const change of changesOf(ground)) {
      await failure(change(memory.forTenant('a')))
      const after = await Promise.all(names.slice(1).map((name) => seen(memory, name)))
      expect(after, change.toString()).toEqual(before)
    }
  })

  it('a cursor opens nothing of another tenant', async () => {
    const memory = await ground.open()
    for (const name of ['a', 'b']) {
      await settle(memory, name)
      await memory.forTenant(name).messages.append('c', says(`third of ${name}`))
    }
    const page = await memory.forTenant('a').messages.list('c', { last: 1 })
    const error = await failure(async () => {
      const { items } = await memory.forTenant('b').messages.list('c', { before: page.before ?? undefined })
      expect(items.every((message) => message.tenantId === 'b')).toBe(true)
    })
    if (error !== null) expect(error).toMatchObject({ code: 'validation', field: 'before' })
  })

  it('a call without a tenant goes to the tenant default', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: 'u' })
    expect(memory.tenantId).toBe('default')
    expect((await memory.forTenant('default').users.get('u'))?.tenantId).toBe('default')
    expect(await memory.forTenant('Default').users.get('u')).toBeNull()
  })
}

function itKeepsUsersApart(ground: Ground): void {
  it('200 users with adversarial names: each sees, counts and loses what is theirs', { timeout: 60_000 }, async () => {
    const memory = await ground.open()
    const fill = async (unit: Pick<TenantMemory, 'messages' | 'sessions' | 'memories'>) => {
      for (const [i, name] of NAMES.entries()) {
        await talk(unit, `c${i}`, [`of ${name}`], name)
        await unit.sessions.create({ id: `s${i}`, userId: name })
        await unit.memories.add({ id: `m${i}`, userId: name, content: 'x', tags: [name], category: name })
      }
    }
    await (memory.capabilities.atomicUnit ? memory.unitOfWork(fill) : fill(memory))
    const ordered = [...NAMES].sort(byBytes)
    const users: string[] = []
    for await (const user of memory.users.each()) users.push(user.id)
    expect(users).toEqual(ordered)
    for (const [i, userId] of NAMES.entries()) {
      expect(await memory.statistics({ userId })).toMatchObject({
        users: 1,
        conversations: 1,
        messages: 1,
        sessions: 1,
        memories: 1,
      })
      expect(idsOf((await memory.conversations.list({ userId })).items)).toEqual([`c${i}`])
      expect(idsOf((await memory.sessions.list({ userId })).items)).toEqual([`s${i}`])
      expect((await memory.sessions.latest(userId))?.id).toBe(`s${i}`)
      for (const filter of [{ userId }, { tags: [userId] }, { category: userId }])
        expect(idsOf((await memory.memories.list(filter)).items)).toEqual([`m${i}`])
    }
    for (const [i, userId] of NAMES.slice(0, 100).entries()) {
      await memory.users.delete(userId)
      expect((await memory.statistics()).users).toBe(NAMES.length - 1 - i)
    }
    expect(await memory.statistics()).toMatchObject({
      users: 100,
      conversations: 100,
      messages: 100,
      sessions: 100,
      memories: 100,
    })
  })
}

function itRefusesNames(ground: Ground): void {
  it('a tenant that no key could hold is refused by name', async () => {
    const memory = await ground.open()
    for (const bad of [
      '',
      'x'.repeat(256),
      '\u20ac'.repeat(86),
      'a\0',
      '\ud83d',
      5 as unknown as string,
      undefined as unknown as string,
    ])
      await refused(() => memory.forTenant(bad).users.list(), 'validation', 'tenantId')
    expect((await memory.users.list()).items).toEqual([])
  })
}
