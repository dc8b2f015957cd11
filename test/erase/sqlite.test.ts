import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { DIMENSIONS, everything, foundIn, plant } from './canaries.js'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

async function fresh() {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-erase-'))
  folders.push(folder)
  const memory = createBackend('sqlite', { databasePath: join(folder, 'memory.db'), embeddingDimensions: DIMENSIONS })
  return { folder, memory }
}

describe('erase on SQLite', () => {
  test('leaves no byte of a user in the file, and another user as they were', async () => {
    const { folder, memory } = await fresh()
    const acme = memory.forTenant('acme')
    await plant(acme, 'ada')
    await plant(acme, 'bob')
    await plant(memory.forTenant('other'), 'ada')
    const before = [await everything(acme, 'bob'), await everything(memory.forTenant('other'), 'ada')]
    expect(foundIn([folder], 'ada').length).toBeGreaterThan(20)
    const report = await memory.erase({ tenantId: 'other' })
    expect(report).toMatchObject({ erased: true, scrubbed: true, complete: true })
    const second = await memory.erase({ tenantId: 'acme', userId: 'ada' })
    expect(second).toMatchObject({ erased: true, scrubbed: true, complete: true })
    expect(foundIn([folder], 'ada')).toEqual([])
    expect(await everything(acme, 'bob')).toEqual(before[0])
    await memory.close()
  })

  test('forgets what this process has cached of a tenant, and nothing of another', async () => {
    const { memory } = await fresh()
    const [acme, other] = [memory.forTenant('acme'), memory.forTenant('acme","x')]
    await plant(acme, 'ada')
    for (const tenant of [acme, other]) await tenant.cache.set('profile:ada', { lives: 'in Lisbon' })
    const { stores, complete } = await memory.erase({ tenantId: 'acme', userId: 'ada' })
    expect(complete).toBe(true)
    const cached = stores.find(({ store }) => store === 'cache of this process')
    expect(cached?.parts).toEqual([{ what: 'cached values', found: 1, removed: 1, left: 0 }])
    expect(await acme.cache.get('profile:ada')).toBeNull()
    expect(await other.cache.get('profile:ada')).toEqual({ lives: 'in Lisbon' })
    await acme.cache.set('profile:ada', { lives: 'in Porto' })
    expect(await acme.cache.get('profile:ada')).toEqual({ lives: 'in Porto' })
    await memory.close()
  })
})
