import { afterAll, describe, expect, test, vi } from 'vitest'
import type { MemoryOptions } from '../../src/contract/composition.js'
import type { Memory } from '../../src/contract/memory.js'
import { ConfigurationError, createMemory, ValidationError } from '../../src/index.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { cacheUrl, DIMENSIONS, opened, PRIMARIES, SEMANTIC, vectorOf } from './composition.js'

afterAll(returnDatabases)

const COMBINATIONS = Object.keys(PRIMARIES).flatMap((primary) =>
  Object.keys(SEMANTIC).map((semantic) => [primary, semantic] as const),
)

async function partsOf(primary: string, semantic: string): Promise<MemoryOptions> {
  return {
    primary: await (PRIMARIES[primary] as () => Promise<string>)(),
    semantic: (SEMANTIC[semantic] as () => string)(),
    cache: cacheUrl(),
  }
}

const idsOf = (hits: readonly { readonly record: { readonly id: string } }[]) => hits.map(({ record }) => record.id)

/** What is nearest to a vector, whoever wrote it. */
const near = async (memory: Pick<Memory, 'search'>, n: number, more = {}) =>
  idsOf(await memory.search({ vector: vectorOf(n), mode: 'vector', limit: 3, fresh: true, ...more }))

describe.each(COMBINATIONS)('%s followed by %s and redis', (primary, semantic) => {
  test('finds each kind by meaning as soon as it is written, through the filters of all', async () => {
    const memory = await opened(await partsOf(primary, semantic))
    await memory.messages.append(
      'c',
      [
        { id: 'm1', role: 'user', content: 'one', vector: vectorOf(1), metadata: { page: 3 } },
        { id: 'm2', role: 'assistant', content: 'two', vector: vectorOf(2) },
      ],
      { userId: 'ada' },
    )
    await memory.memories.add({
      id: 'e1',
      userId: 'ada',
      type: 'fact',
      content: 'three',
      vector: vectorOf(3),
      tags: ['home'],
    })
    await memory.documents.upsert([{ id: 'd1', namespace: 'n', content: 'four', vector: vectorOf(4) }])
    expect((await near(memory, 1))[0]).toBe('m1')
    expect((await near(memory, 3))[0]).toBe('e1')
    expect((await near(memory, 4))[0]).toBe('d1')
    expect(await near(memory, 1, { roles: ['assistant'] })).toEqual(['m2'])
    expect(await near(memory, 4, { kinds: ['message'], metadata: { page: { gte: 3 } } })).toEqual(['m1'])
    expect(await near(memory, 1, { tags: ['home'] })).toEqual(['e1'])
    expect(await near(memory, 1, { userId: 'eve' })).toEqual([])
    expect(await near(memory.forTenant('other'), 1)).toEqual([])
  })

  test('fuses what the text finds with what the vectors find, from one answer of the primary', async () => {
    const memory = await opened(await partsOf(primary, semantic))
    await memory.memories.addMany([
      { id: 'both', userId: 'ada', type: 'fact', content: 'lives in Lisbon', vector: vectorOf(1) },
      { id: 'text', userId: 'ada', type: 'fact', content: 'Lisbon is warm', vector: vectorOf(50) },
      { id: 'vector', userId: 'ada', type: 'fact', content: 'moved south', vector: vectorOf(1.001) },
    ])
    const hits = await memory.search({
      text: 'Lisbon',
      vector: vectorOf(1),
      mode: 'hybrid',
      kinds: ['memory'],
      explain: true,
      fresh: true,
    })
    expect(idsOf(hits)[0]).toBe('both')
    expect(new Set(idsOf(hits))).toEqual(new Set(['both', 'text', 'vector']))
    expect(hits[0]?.explain?.vector?.similarity).toBeCloseTo(1, 5)
    expect(hits[0]?.explain?.fusion).toEqual({ text: expect.any(Number), vector: expect.any(Number) })
  })

  test('has one vector of a message that is saved twice, the new one of one that is edited, none of what is gone', async () => {
    const memory = await opened(await partsOf(primary, semantic))
    const save = (n: number) =>
      memory.messages.upsert('c', [{ id: 'm', role: 'user', content: `text ${n}`, vector: vectorOf(n) }], {
        userId: 'ada',
      })
    await save(1)
    await save(1)
    expect(await near(memory, 1)).toEqual(['m'])
    await save(2)
    await memory.settle()
    expect(await memory.verify()).toMatchObject({ expected: 1, found: 1, missing: 0, orphan: 0, stale: 0 })
    const [hit] = await memory.search({ vector: vectorOf(2), mode: 'vector', explain: true })
    expect(hit?.explain?.vector?.similarity).toBeCloseTo(1, 5)
    await memory
      .unitOfWork(async (unit) => {
        await unit.messages.append('c', { id: 'undone', role: 'user', content: 'x', vector: vectorOf(5) })
        throw new Error('undone')
      })
      .catch(() => undefined)
    expect(await near(memory, 5)).toEqual(['m'])
    await memory.conversations.delete('c')
    expect(await near(memory, 2)).toEqual([])
    expect(await memory.verify()).toMatchObject({ expected: 0, found: 0, missing: 0, orphan: 0, stale: 0, parked: 0 })
  })

  test('shows what was deleted to nobody, whatever the semantic store still has', async () => {
    const parts = await partsOf(primary, semantic)
    const memory = await opened({ ...parts, settle: 'off' })
    await memory.memories.addMany(
      [1, 2, 3].map((n) => ({
        id: `e${n}`,
        userId: 'ada',
        type: 'fact' as const,
        content: `${n}`,
        vector: vectorOf(n),
      })),
    )
    await memory.settle()
    await memory.memories.delete('e1')
    await memory.memories.update('e2', { expiresAt: new Date(Date.now() - 1) })
    expect(idsOf(await memory.search({ vector: vectorOf(1), mode: 'vector', limit: 3 }))).toEqual(['e3'])
    expect(await memory.verify()).toMatchObject({ missing: 0, orphan: 0, stale: 0, waiting: 2 })
  })

  test('answers when the others have followed, where that is wanted', async () => {
    const memory = await opened({ ...(await partsOf(primary, semantic)), settle: 'await' })
    await memory.memories.add({ id: 'e', userId: 'ada', type: 'fact', content: 'x', vector: vectorOf(1) })
    expect((await memory.followers()).map(({ depth }) => depth)).toEqual([0, 0])
    expect(idsOf(await memory.search({ vector: vectorOf(1), mode: 'vector' }))).toEqual(['e'])
    await memory.unitOfWork(async (unit) => {
      await unit.memories.add({ id: 'f', userId: 'ada', type: 'fact', content: 'y', vector: vectorOf(2) })
      await unit.cache.set('k', 1)
    })
    expect((await memory.followers()).map(({ depth }) => depth)).toEqual([0, 0])
  })

  test('is verified and repaired: what is missing, left over, or not as it was', async () => {
    const parts = await partsOf(primary, semantic)
    const memory = await opened(parts)
    await memory.memories.addMany(
      Array.from({ length: 20 }, (_, n) => ({
        id: `e${n}`,
        userId: 'ada',
        type: 'fact' as const,
        content: `${n}`,
        vector: vectorOf(n),
      })),
    )
    await memory.settle()
    // Another memory at the same place, whose primary has other records, leaves what this one never wrote.
    const stranger = await opened({ ...parts, primary: await (PRIMARIES[primary] as () => Promise<string>)() })
    await stranger.memories.addMany(
      [0, 1, 2, 90, 91].map((n) => ({
        id: `e${n}`,
        userId: 'eve',
        type: 'fact' as const,
        content: 'other',
        vector: vectorOf(n + 7),
      })),
    )
    await stranger.memories.update('e0', { importance: 0.9 })
    await stranger.settle()
    await stranger.memories.delete('e2')
    await stranger.settle()
    await stranger.close()
    const found = await memory.verify()
    expect(found.keys.orphan.map(({ id }) => id).sort()).toEqual(['e90', 'e91'])
    expect(found.missing + found.stale).toBeGreaterThan(0)
    const repaired = await memory.verify({ repair: true })
    expect(repaired.repaired).toBe(found.missing + found.orphan + found.stale)
    await memory.settle()
    expect(await memory.verify()).toMatchObject({ expected: 20, found: 20, missing: 0, orphan: 0, stale: 0 })
    expect((await near(memory, 0))[0]).toBe('e0')
  })

  test('is built anew beside what is in use, and put to use at once, in every process', async () => {
    const parts = await partsOf(primary, semantic)
    const memory = await opened(parts)
    const other = await opened(parts)
    await memory.memories.addMany(
      Array.from({ length: 10 }, (_, n) => ({
        id: `e${n}`,
        userId: 'ada',
        type: 'fact' as const,
        content: `${n}`,
        vector: vectorOf(n),
      })),
    )
    await memory.settle()
    expect(await memory.rebuild({ dryRun: true })).toMatchObject({ records: 10, generation: 1, vectors: 0 })
    expect(await memory.rebuild({ dropOld: true })).toMatchObject({
      vectors: 10,
      generation: 2,
      dropped: true,
      parked: 0,
    })
    await vi.waitFor(async () => expect((await near(other, 3))[0]).toBe('e3'), { timeout: 8000, interval: 100 })
    await other.memories.add({ id: 'new', userId: 'ada', type: 'fact', content: 'new', vector: vectorOf(77) })
    await vi.waitFor(async () => expect((await near(memory, 77))[0]).toBe('new'), { timeout: 8000, interval: 100 })
    expect(await memory.verify()).toMatchObject({ expected: 11, found: 11, missing: 0, orphan: 0, stale: 0 })
  })
})

describe('a memory of several backends', () => {
  const refused = (options: object): string => {
    try {
      createMemory(options as never)
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError)
      return (error as Error).message
    }
    return 'was accepted'
  }

  test('names what is wrong before anything is opened', () => {
    const semantic = { backend: 'qdrant', embeddingDimensions: DIMENSIONS }
    expect(refused({})).toMatch(/option primary: is required/)
    expect(refused({ primary: 'sqlite::memory:', semantik: semantic })).toMatch(/semantik.*"semantic"/)
    expect(refused({ primary: 'redis://127.0.0.1', semantic })).toMatch(/option primary: nothing can follow redis/)
    expect(refused({ primary: 'sqlite::memory:', semantic: 'redis://127.0.0.1' })).toMatch(/option semantic/)
    expect(refused({ primary: 'sqlite::memory:', cache: 'sqlite::memory:' })).toMatch(/option cache/)
    expect(refused({ primary: 'sqlite::memory:', semantic: 'qdrant://127.0.0.1' })).toMatch(/embeddingFunction/)
    expect(refused({ primary: 'sqlite::memory:', semantic, settle: 'later' })).toMatch(/option settle/)
    expect(refused({ primary: 'sqlite::memory:', reads: { windows: 1 } })).toMatch(/reads\.windows.*"window"/)
    expect(
      refused({ primary: { backend: 'sqlite', databasePath: ':memory:', embeddingDimensions: 3 }, semantic }),
    ).toMatch(/embeddingDimensions.*once/)
  })

  test('refuses a semantic store of another dimension when it connects', async () => {
    const parts = await partsOf('sqlite', 'qdrant')
    await opened(parts)
    const other = createMemory({
      ...parts,
      primary: await (PRIMARIES.sqlite as () => Promise<string>)(),
      embeddingDimensions: 4,
    })
    await expect(other.connect()).rejects.toThrow(ConfigurationError)
    await other.close()
  })

  test('says so where a unit would wait for another store', async () => {
    const memory = await opened(await partsOf('sqlite', 'qdrant'))
    await memory.unitOfWork(async (unit) => {
      await expect(unit.search({ vector: vectorOf(1), mode: 'vector' })).rejects.toThrow(/inside a unit/)
      await expect(unit.search({ text: 'x', fresh: true })).rejects.toThrow(ValidationError)
    })
  })
})
