import { afterAll, describe, expect, test } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { cacheUrl, opened, PRIMARIES, SEMANTIC, vectorOf } from './composition.js'

afterAll(returnDatabases)

/** Everything that the records of a tenant say of somebody. */
async function fill(memory: Memory, tenant: string, user: string): Promise<void> {
  const acme = memory.forTenant(tenant)
  await acme.messages.append(
    `c-${user}`,
    [{ id: `m-${user}`, role: 'user', content: `canary of ${user}`, vector: vectorOf(1) }],
    { userId: user },
  )
  await acme.memories.add({
    id: `e-${user}`,
    userId: user,
    type: 'fact',
    content: `canary of ${user}`,
    vector: vectorOf(2),
  })
  await acme.search({ text: 'canary' })
  await acme.messages.list(`c-${user}`)
  await acme.cache.set(`profile:${user}`, { canary: user })
}

const idsOf = async (memory: Memory, tenant: string): Promise<string[]> =>
  (await memory.forTenant(tenant).search({ vector: vectorOf(1), mode: 'vector', limit: 20, fresh: true }))
    .map(({ record }) => record.id)
    .sort()

describe.each([
  ['sqlite', 'chromadb'],
  ['postgresql', 'qdrant'],
] as const)('erasing from %s, %s and redis', (primary, semantic) => {
  const parts = async () => ({
    primary: await (PRIMARIES[primary] as () => Promise<string>)(),
    semantic: (SEMANTIC[semantic] as () => string)(),
    cache: cacheUrl(),
  })

  test('a user leaves the others as they were, and says where it looked', async () => {
    const memory = await opened(await parts())
    for (const user of ['ada', 'eve']) await fill(memory, 'acme', user)
    await fill(memory, 'other', 'ada')
    await memory.settle()
    const dry = await memory.erase({ tenantId: 'acme', userId: 'ada' }, { dryRun: true })
    expect(dry.complete).toBe(false)
    expect(await idsOf(memory, 'acme')).toHaveLength(4)
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' })
    expect(report.stores.flatMap(({ error }) => error ?? [])).toEqual([])
    expect(report).toMatchObject({ erased: true, scrubbed: true, complete: true })
    expect(report.stores.map(({ store }) => store)).toEqual([primary, semantic, 'redis'])
    expect(await idsOf(memory, 'acme')).toEqual(['e-eve', 'm-eve'])
    expect(await idsOf(memory, 'other')).toEqual(['e-ada', 'm-ada'])
    expect((await memory.forTenant('acme').messages.list('c-ada')).items).toEqual([])
    expect((await memory.forTenant('other').messages.list('c-ada')).items).toHaveLength(1)
    expect(await memory.verify()).toMatchObject({ missing: 0, orphan: 0, stale: 0, waiting: 0 })
  })

  test('a tenant leaves nothing of it in any store', async () => {
    const memory = await opened(await parts())
    await fill(memory, 'acme', 'ada')
    await memory
      .forTenant('acme')
      .documents.upsert([{ id: 'd', namespace: 'n', content: 'canary', vector: vectorOf(3) }])
    await fill(memory, 'other', 'ada')
    const report = await memory.erase({ tenantId: 'acme' })
    expect(report).toMatchObject({ erased: true, scrubbed: true, complete: true })
    expect(await idsOf(memory, 'acme')).toEqual([])
    expect(await memory.forTenant('acme').cache.get('profile:ada')).toBeNull()
    expect(await memory.forTenant('other').cache.get('profile:ada')).toEqual({ canary: 'ada' })
    expect(await idsOf(memory, 'other')).toEqual(['e-ada', 'm-ada'])
  })
})
