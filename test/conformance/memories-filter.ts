import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { MemoryListOptions } from '../../src/contract/repositories.js'
import { failure, refused } from './expecting.js'
import { CONDITIONS, METADATA } from './filters.js'
import { ADA, collect, idsOf } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeMemoriesFilter(harness: Harness): void {
  suite(harness, 'memories: filters', ['memories'], (ground) => {
    itFiltersFields(ground)
    itFiltersMetadata(ground)
    itRefusesFilters(ground)
    itNarrowsByNothing(ground)
  })
  suite(harness, 'memories: recall', ['memories'], itRecalls)
}

async function seed(memory: Memory): Promise<void> {
  if (memory.capabilities.conversations) await memory.conversations.create({ id: 'c', userId: ADA })
  const at = (ms: number) => ({ createdAt: new Date(ms) })
  await memory.memories.addMany([
    {
      id: 'a',
      userId: ADA,
      content: 'x',
      type: 'fact',
      tags: ['home', 'x'],
      importance: 0.9,
      confidence: 0.5,
      ...at(10),
    },
    { id: 'b', userId: ADA, content: 'x', type: 'episodic', tags: ['Home'], importance: 0.8, category: 'k', ...at(20) },
    {
      id: 'c',
      userId: ADA,
      content: 'x',
      type: 'fact',
      tags: ['work', 'home'],
      importance: 0.7,
      category: 'K',
      ...at(30),
    },
    { id: 'd', userId: 'bob', content: 'x', tags: ['ho', 'home%'], importance: 0.6, confidence: 0, ...at(40) },
    { id: 'e', userId: 'bob', content: 'x', importance: 0, conversationId: 'c', ...at(50) },
  ])
}

const CASES: readonly (readonly [filter: MemoryListOptions, ids: string])[] = [
  [{}, 'abcde'],
  [{ userId: ADA }, 'abc'],
  [{ userId: 'bob' }, 'de'],
  [{ userId: 'nobody' }, ''],
  [{ conversationId: 'c' }, 'e'],
  [{ types: ['fact'] }, 'ac'],
  [{ types: ['fact', 'long_term'] }, 'acde'],
  [{ types: ['semantic'] }, ''],
  [{ category: 'k' }, 'b'],
  [{ tags: ['home'] }, 'ac'],
  [{ tags: ['home', 'Home'] }, 'abc'],
  [{ tags: ['home', 'work'], tagsMatch: 'any' }, 'ac'],
  [{ tags: ['home', 'work'], tagsMatch: 'all' }, 'c'],
  [{ tags: ['home', 'home'], tagsMatch: 'all' }, 'ac'],
  [{ tags: ['home%'] }, 'd'],
  [{ tags: ['hom'] }, ''],
  [{ from: new Date(20) }, 'bcde'],
  [{ to: new Date(20) }, 'a'],
  [{ from: new Date(20), to: new Date(40) }, 'bc'],
  [{ minImportance: 0.7 }, 'abc'],
  [{ minImportance: 0 }, 'abcde'],
  [{ minConfidence: 0.5 }, 'abce'],
  [{ minConfidence: 1 }, 'bce'],
  [{ userId: ADA, types: ['fact'], tags: ['work'], from: new Date(5), minImportance: 0.1 }, 'c'],
  [{ userId: 'bob', tags: ['home'] }, ''],
  [{ tags: undefined, userId: undefined, types: undefined }, 'abcde'],
]

function itFiltersFields(ground: Ground): void {
  it('each filter narrows the listing, alone and together', async () => {
    const memory = await ground.open()
    await seed(memory)
    for (const [filter, ids] of CASES) {
      const { items } = await memory.memories.list(filter)
      expect(idsOf(items).join(''), JSON.stringify(filter)).toBe(ids)
      expect(idsOf(await collect(memory.memories.each(filter))).join(''), JSON.stringify(filter)).toBe(ids)
      expect(idsOf(await memory.memories.recall(filter)).join(''), JSON.stringify(filter)).toBe(ids)
    }
  })

  it('the limit applies after all filters, pages included', async () => {
    const memory = await ground.open()
    await memory.memories.addMany(
      Array.from({ length: 300 }, (_, i) => ({
        id: `x${i}`,
        userId: ADA,
        content: 'x',
        importance: 1,
        tags: ['common'],
      })),
    )
    const rare = ['r1', 'r2', 'r3'].map((id, i) => ({
      id,
      userId: ADA,
      content: 'x',
      importance: 0.3 - i / 10,
      tags: ['rare'],
    }))
    await memory.memories.addMany(rare)
    const first = await memory.memories.list({ tags: ['rare'], limit: 2 })
    expect(idsOf(first.items)).toEqual(['r1', 'r2'])
    expect(first.hasMore).toBe(true)
    const second = await memory.memories.list({ tags: ['rare'], limit: 2, after: first.after ?? undefined })
    expect(idsOf(second.items)).toEqual(['r3'])
    expect(second.hasMore).toBe(false)
    expect(idsOf(await memory.memories.recall({ tags: ['rare'], limit: 1 }))).toEqual(['r1'])
  })
}

function itFiltersMetadata(ground: Ground): void {
  it('metadata is compared by key, type and value', async () => {
    const memory = await ground.open()
    await memory.memories.addMany(
      Object.entries(METADATA).map(([id, metadata]) => ({ id, userId: ADA, content: id, metadata })),
    )
    for (const [name, metadata, holds] of CONDITIONS) {
      const { items } = await memory.memories.list({ metadata })
      expect(idsOf(items).sort(), name).toEqual([...holds].sort())
    }
  })
}

function itRefusesFilters(ground: Ground): void {
  const BAD: readonly (readonly [filter: object, field: string | RegExp])[] = [
    [{ namespace: 'n' }, 'namespace'],
    [{ roles: ['user'] }, 'roles'],
    [{ tag: ['x'] }, 'tag'],
    [{ types: ['facts'] }, 'types[0]'],
    [{ tags: ['ok', ''] }, 'tags[1]'],
    [{ tags: 'home' }, 'tags'],
    [{ tagsMatch: 'some' }, 'tagsMatch'],
    [{ userId: '' }, 'userId'],
    [{ conversationId: 'x'.repeat(256) }, 'conversationId'],
    [{ from: '2020-01-01' }, 'from'],
    [{ to: new Date(Number.NaN) }, 'to'],
    [{ minImportance: 1.5 }, 'minImportance'],
    [{ minConfidence: Number.NaN }, 'minConfidence'],
    [{ includeExpired: 'yes' }, 'includeExpired'],
    [{ metadata: [] }, 'metadata'],
    [{ metadata: { a: Number.NaN } }, /^metadata\.a/],
    [{ metadata: { a: ['x'] } }, /^metadata\.a/],
    [{ metadata: { a: { $gt: 1 } } }, /^metadata\.a/],
    [{ metadata: { a: { gt: true } } }, /^metadata\.a/],
    [{ metadata: { a: { gt: Number.POSITIVE_INFINITY } } }, /^metadata\.a/],
    [{ metadata: { a: { in: [{}] } } }, /^metadata\.a/],
    [{ metadata: { a: new Date() } }, /^metadata\.a/],
    [{ metadata: { 'a\0': 1 } }, /^metadata/],
  ]
  it('a filter that is wrong is refused by its field, never ignored', async () => {
    const memory = await ground.open()
    await seed(memory)
    for (const [filter, field] of BAD) {
      await refused(memory.memories.list(filter), 'validation', field)
      await refused(memory.memories.recall(filter), 'validation', field)
      await refused(() => collect(memory.memories.each(filter)), 'validation', field)
    }
    expect((await memory.memories.list()).items.every((entry) => entry.accessCount === 0)).toBe(true)
  })
}

function itNarrowsByNothing(ground: Ground): void {
  it('an empty list of values is refused or holds for nothing; it is never as if it were not there', async () => {
    const memory = await ground.open()
    await seed(memory)
    const filters: readonly MemoryListOptions[] = [{ types: [] }, { tags: [] }, { metadata: { n: { in: [] } } }]
    for (const filter of filters) {
      const error = await failure(async () => expect((await memory.memories.list(filter)).items).toEqual([]))
      if (error !== null) expect(error).toMatchObject({ code: 'validation' })
    }
  })
}

function itRecalls(ground: Ground): void {
  it('counts as use of what it answers, and of nothing else', async () => {
    const memory = await ground.open()
    await seed(memory)
    const before = (await memory.memories.list()).items
    ground.clock.advance(1000)
    const recalled = await memory.memories.recall({ userId: ADA, limit: 2 })
    expect(idsOf(recalled)).toEqual(['a', 'b'])
    const used = { accessCount: 1, lastAccessedAt: ground.clock.date() }
    const after = (await memory.memories.list()).items
    expect(after).toEqual(before.map((entry) => (['a', 'b'].includes(entry.id) ? { ...entry, ...used } : entry)))
    expect(recalled).toEqual(after.slice(0, 2))
    await memory.memories.recall({ userId: ADA, limit: 1 })
    expect((await memory.memories.get('a'))?.accessCount).toBe(2)
  })

  it('neither listing nor getting counts as use', async () => {
    const memory = await ground.open()
    await seed(memory)
    await memory.memories.list()
    await memory.memories.get('a')
    await collect(memory.memories.each())
    if (!ground.lacks('textSearch')) await memory.search({ text: 'x' })
    expect(await memory.memories.get('a')).toMatchObject({ accessCount: 0, lastAccessedAt: null, version: 1 })
  })

  it('answers ten at most where no limit is given, in the order of the listing', async () => {
    const memory = await ground.open()
    await memory.memories.addMany(
      Array.from({ length: 15 }, (_, i) => ({ userId: ADA, content: 'x', importance: i / 20 })),
    )
    const listed = await memory.memories.list({ limit: 10 })
    const recalled = await memory.memories.recall({})
    expect(idsOf(recalled)).toEqual(idsOf(listed.items))
    expect(recalled).toHaveLength(10)
    for (const limit of [0, 1001, 2.5]) await refused(memory.memories.recall({ limit }), 'validation', 'limit')
    await refused(memory.memories.recall({ after: 'x' } as object), 'validation', 'after')
  })

  it('with a text it answers what the text finds, within the filters', async () => {
    const memory = await ground.open()
    if (ground.lacks('textSearch') && ground.lacks('vectorSearch')) {
      const error = await refused(memory.memories.recall({ text: 'lisbon' }), 'unsupported')
      expect(error).toHaveProperty('capability', 'textSearch')
      return
    }
    await memory.memories.addMany([
      { id: 'a', userId: ADA, content: 'lives in Lisbon', importance: 0.1 },
      { id: 'b', userId: ADA, content: 'likes tea', importance: 0.9 },
      { id: 'c', userId: 'bob', content: 'was born in Lisbon', importance: 0.9 },
    ])
    expect(idsOf(await memory.memories.recall({ text: 'Lisbon', userId: ADA }))[0]).toBe('a')
    expect(await memory.memories.get('a')).toMatchObject({ accessCount: 1 })
    expect(await memory.memories.get('c')).toMatchObject({ accessCount: 0 })
  })
}
