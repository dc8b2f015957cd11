import { expect, it } from 'vitest'
import type { TenantMemory, UnitOfWork } from '../../src/contract/memory.js'
import { failure } from './expecting.js'
import { ADA, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeSearchUpkeep(harness: Harness): void {
  const needs = ['textSearch', 'messages', 'memories', 'documents', 'conversations', 'users'] as const
  suite(harness, 'text search: upkeep', needs, (ground) => {
    itFollowsUpdates(ground)
    itFollowsDeletions(ground)
    itFollowsUnits(ground)
  })
  suite(harness, 'text search: tenants', needs, itKeepsTenantsApart)
}

const found = async (memory: TenantMemory | UnitOfWork, text: string): Promise<string[]> =>
  (await memory.search({ text, limit: 100 })).map((hit) => `${hit.kind} ${hit.record.id}`).sort()

function itFollowsUpdates(ground: Ground): void {
  it('what was changed is found by its new words and not by its old ones', async () => {
    const memory = await ground.open()
    await talk(memory, 'c1', [says('zeppelin', { id: 'm1' })])
    await talk(memory, 'c2', [says('zeppelin', { id: 'm2' })])
    await memory.memories.add({ id: 'e', userId: ADA, content: 'zeppelin' })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'zeppelin' })
    expect(await found(memory, 'zeppelin')).toEqual(['document d', 'memory e', 'message m1', 'message m2'])
    await memory.messages.update('c1', 'm1', { content: 'bicycle' })
    await memory.messages.upsert('c2', says('bicycle', { id: 'm2' }))
    await memory.memories.update('e', { content: 'bicycle' })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'bicycle' })
    expect(await found(memory, 'zeppelin')).toEqual([])
    expect(await found(memory, 'bicycle')).toEqual(['document d', 'memory e', 'message m1', 'message m2'])
  })

  it('a change of something else leaves it to be found once', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('zeppelin', { id: 'm' })])
    await memory.memories.add({ id: 'e', userId: ADA, content: 'zeppelin' })
    for (let i = 0; i < 3; i++) {
      await memory.messages.update('c', 'm', { metadata: { i } })
      await memory.memories.update('e', { importance: i / 10 })
      await memory.memories.recall({ userId: ADA })
    }
    expect(await found(memory, 'zeppelin')).toEqual(['memory e', 'message m'])
  })
}

function itFollowsDeletions(ground: Ground): void {
  it('what was deleted is not found, be it by itself or with what it hung on', async () => {
    const memory = await ground.open()
    const fill = async () => {
      await talk(memory, 'c', [says('zeppelin', { id: 'm' })])
      await memory.memories.add({ id: 'e', userId: ADA, content: 'zeppelin' })
      await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'zeppelin' })
    }
    const rounds: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => memory.messages.delete('c', 'm'), 'message m'],
      [() => memory.messages.clear('c'), 'message m'],
      [() => memory.conversations.delete('c'), 'message m'],
      [() => memory.memories.delete('e'), 'memory e'],
      [() => memory.documents.delete('n', 'd'), 'document d'],
      [() => memory.documents.deleteNamespace('n'), 'document d'],
    ]
    const all = ['document d', 'memory e', 'message m']
    for (const [remove, gone] of rounds) {
      await fill()
      expect(await found(memory, 'zeppelin')).toEqual(all)
      await remove()
      expect(await found(memory, 'zeppelin'), remove.toString()).toEqual(all.filter((hit) => hit !== gone))
      if (await memory.users.get(ADA)) await memory.users.delete(ADA)
      expect(await found(memory, 'zeppelin')).toEqual(gone === 'document d' ? [] : ['document d'])
      await memory.documents.deleteNamespace('n')
    }
  })

  it('a clear of many messages leaves none to be found, and new ones are', async () => {
    const memory = await ground.open()
    await talk(
      memory,
      'c',
      Array.from({ length: 300 }, (_, i) => `zeppelin ${i}`),
    )
    await memory.messages.clear('c')
    expect(await found(memory, 'zeppelin')).toEqual([])
    await talk(memory, 'c', [says('zeppelin again', { id: 'm' })])
    expect(await found(memory, 'zeppelin')).toEqual(['message m'])
  })

  it('a branch is found beside its origin', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('zeppelin', { id: 'm' })])
    const branch = await memory.messages.branch('c', 'm')
    const hits = await memory.search({ text: 'zeppelin' })
    const conversations = hits.map((hit) => (hit.kind === 'message' ? hit.record.conversationId : ''))
    expect([...conversations].sort()).toEqual(['c', branch.id].sort())
  })
}

function itFollowsUnits(ground: Ground): void {
  it('a unit finds what it wrote; what was undone is not found, what was kept is', async () => {
    const memory = await ground.open()
    if (ground.lacks('atomicUnit')) return expect(memory.capabilities.atomicUnit).toBe(false)
    await memory.memories.add({ id: 'old', userId: ADA, content: 'zeppelin' })
    const write = async (unit: UnitOfWork) => {
      await talk(unit, 'c', [says('zeppelin', { id: 'm' })])
      await unit.memories.update('old', { content: 'bicycle' })
      expect(await found(unit, 'zeppelin')).toEqual(['message m'])
    }
    await failure(
      memory.unitOfWork(async (unit) => {
        await write(unit)
        throw new Error('undo')
      }),
    )
    expect(await found(memory, 'zeppelin')).toEqual(['memory old'])
    expect(await found(memory, 'bicycle')).toEqual([])
    await memory.unitOfWork(write)
    expect(await found(memory, 'zeppelin')).toEqual(['message m'])
    expect(await found(memory, 'bicycle')).toEqual(['memory old'])
  })
}

function itKeepsTenantsApart(ground: Ground): void {
  it('two tenants with the same texts find their own alone', async () => {
    const memory = await ground.open()
    const names = ['a', 'A', 'a%', "a'", '"', 'zeppelin', '*']
    for (const name of names) {
      const tenant = memory.forTenant(name)
      await talk(tenant, 'c', [says('zeppelin', { id: 'm' })])
      await tenant.memories.add({ id: 'e', userId: ADA, content: 'zeppelin' })
      await tenant.documents.upsert({ namespace: 'n', id: 'd', content: 'zeppelin' })
    }
    for (const name of names) {
      const hits = await memory.forTenant(name).search({ text: 'zeppelin', limit: 100 })
      expect(hits.map((hit) => hit.record.tenantId)).toEqual([name, name, name])
    }
    expect(await found(memory, 'zeppelin')).toEqual([])
  })

  it('the name of a tenant is not a word of its records', async () => {
    const memory = await ground.open()
    await memory.forTenant('acme').memories.add({ id: 'e', userId: 'zeppelin', content: 'bicycle', tags: ['vehicle'] })
    expect(await found(memory.forTenant('acme'), 'acme zeppelin default e')).toEqual([])
    expect(await found(memory.forTenant('acme'), 'vehicles')).toEqual(['memory e'])
    expect(await found(memory.forTenant('acme'), 'bicycle')).toEqual(['memory e'])
  })

  async function orders(): Promise<readonly [before: string[], after: string[]]> {
    const memory = await ground.open()
    const tenant = memory.forTenant('a')
    const texts = ['tea tea tea', 'tea', 'zeppelin and others', 'tea time', 'zeppelin', 'nothing', 'nothing else']
    await tenant.memories.addMany(texts.map((content, i) => ({ id: `${i}`, userId: ADA, content })))
    const order = async () => (await tenant.search({ text: 'tea zeppelin' })).map((hit) => hit.record.id)
    const before = await order()
    const flood = Array.from({ length: 500 }, () => ({ userId: ADA, content: 'zeppelin zeppelin' }))
    await memory.forTenant('b').memories.addMany(flood)
    return [before, await order()]
  }
  ground.promise(
    'shared-ranking',
    "the order of a tenant's hits does not depend on its neighbours' rows",
    async () => {
      const [before, after] = await orders()
      expect(after).toEqual(before)
    },
    async () => {
      const [before, after] = await orders()
      expect([...after].sort()).toEqual([...before].sort())
    },
  )
}
