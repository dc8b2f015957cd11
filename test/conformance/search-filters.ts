import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { SearchMode, SearchQuery } from '../../src/contract/search.js'
import { refused } from './expecting.js'
import { CONDITIONS, METADATA } from './filters.js'
import { ADA, answers, instructs, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite, vectorSuite } from './harness.js'
import { wordModel } from './vectors-fixtures.js'

export function describeSearchFilters(harness: Harness): void {
  const needs = ['messages', 'memories', 'documents'] as const
  suite(harness, 'text search: filters', ['textSearch', ...needs], itNarrows('text'))
  vectorSuite(harness, 'vector search: filters', needs, itNarrows('vector'))
}

const itNarrows =
  (mode: SearchMode) =>
  (ground: Ground): void => {
    const place: Place = {
      mode,
      open: () => ground.open(mode === 'vector' ? { embeddingFunction: wordModel() } : {}),
    }
    itFilters(place)
    itFiltersMetadata(place)
    itRefusesWhatDoesNotApply(place)
    itLimitsLast(place)
  }

/** Where the same records are searched by the same filters, in one mode. */
interface Place {
  readonly mode: SearchMode
  open(): Promise<Memory>
}

type Filter = Omit<SearchQuery, 'text'>

/** Every record holds the word; each conversation stands alone, so that no neighbour answers for another. */
async function seed(memory: Memory): Promise<void> {
  const at = (ms: number) => ({ createdAt: new Date(ms) })
  await talk(memory, 'c1', [says('word', { id: 'm1', ...at(10) })])
  await talk(memory, 'c2', [answers('word', { id: 'm2', ...at(20) })])
  await talk(memory, 'c3', [instructs('word', { id: 'm3', ...at(30) })], 'bob')
  await memory.memories.addMany([
    { id: 'e1', userId: ADA, content: 'word', type: 'fact', tags: ['x', 'y'], importance: 0.9, ...at(10) },
    { id: 'e2', userId: ADA, content: 'word', tags: ['x'], category: 'k', confidence: 0.2, ...at(20) },
    { id: 'e3', userId: 'bob', content: 'word', conversationId: 'c3', importance: 0.1, ...at(30) },
  ])
  await memory.documents.upsert([
    { namespace: 'n', id: 'd1', content: 'word', ...at(10) },
    { namespace: 'N', id: 'd2', content: 'word', ...at(30) },
  ])
  await memory.settle()
}

const found = async (memory: Memory, mode: SearchMode, filter: Filter): Promise<string> => {
  const hits = await memory.search({ text: 'word', limit: 100, mode, ...filter })
  return hits
    .map((hit) => hit.record.id)
    .sort()
    .join(' ')
}

const CASES: readonly (readonly [filter: Filter, ids: string])[] = [
  [{}, 'd1 d2 e1 e2 e3 m1 m2 m3'],
  [{ kinds: ['message'] }, 'm1 m2 m3'],
  [{ kinds: ['memory', 'document'] }, 'd1 d2 e1 e2 e3'],
  [{ userId: ADA }, 'e1 e2 m1 m2'],
  [{ userId: 'bob', kinds: ['message'] }, 'm3'],
  [{ userId: 'nobody' }, ''],
  [{ conversationId: 'c3' }, 'e3 m3'],
  [{ conversationId: 'c1' }, 'm1'],
  [{ conversationId: 'unknown' }, ''],
  [{ namespace: 'n' }, 'd1'],
  [{ namespace: 'n%' }, ''],
  [{ roles: ['assistant', 'system'] }, 'm2 m3'],
  [{ types: ['fact'] }, 'e1'],
  [{ types: ['long_term', 'semantic'] }, 'e2 e3'],
  [{ tags: ['x'] }, 'e1 e2'],
  [{ tags: ['x', 'y'], tagsMatch: 'all' }, 'e1'],
  [{ tags: ['y', 'z'], tagsMatch: 'any' }, 'e1'],
  [{ category: 'k' }, 'e2'],
  [{ from: new Date(20) }, 'd2 e2 e3 m2 m3'],
  [{ to: new Date(20) }, 'd1 e1 m1'],
  [{ from: new Date(15), to: new Date(30) }, 'e2 m2'],
  [{ minImportance: 0.5 }, 'e1 e2'],
  [{ minConfidence: 0.5 }, 'e1 e3'],
  [{ userId: ADA, from: new Date(20) }, 'e2 m2'],
  [{ userId: ADA, roles: ['user'] }, 'm1'],
  [{ userId: ADA, tags: ['y'], minImportance: 0.5, types: ['fact'] }, 'e1'],
]

function itFilters({ mode, open }: Place): void {
  it('each filter narrows the search, alone and together; kinds that do not know a filter are left out', async () => {
    const memory = await open()
    await seed(memory)
    for (const [filter, ids] of CASES) expect(await found(memory, mode, filter), JSON.stringify(filter)).toBe(ids)
  })

  it('filters that no kind knows together find nothing to search', async () => {
    const memory = await open()
    await seed(memory)
    await refused(memory.search({ text: 'word', mode, namespace: 'n', roles: ['user'] }), 'validation')
    await refused(memory.search({ text: 'word', mode, tags: ['x'], namespace: 'n' }), 'validation')
    expect(await found(memory, mode, { namespace: 'n' })).toBe('d1')
  })
}

function itFiltersMetadata({ mode, open }: Place): void {
  it('metadata is compared by key, type and value in every kind', { timeout: 20_000 }, async () => {
    const memory = await open()
    const all = Object.entries(METADATA)
    for (const [id, metadata] of all) await talk(memory, `c-${id}`, [says('word', { id, metadata })])
    await memory.memories.addMany(all.map(([id, metadata]) => ({ id, userId: ADA, content: 'word', metadata })))
    await memory.documents.upsert(all.map(([id, metadata]) => ({ namespace: 'n', id, content: 'word', metadata })))
    await memory.settle()
    for (const [name, metadata, holds] of CONDITIONS)
      for (const kind of ['message', 'memory', 'document'] as const)
        expect(await found(memory, mode, { metadata, kinds: [kind] }), `${name}, ${kind}`).toBe(
          [...holds].sort().join(' '),
        )
  })
}

function itRefusesWhatDoesNotApply({ mode, open }: Place): void {
  const CASES: readonly (readonly [filter: Filter, field: string])[] = [
    [{ kinds: ['message'], tags: ['x'] }, 'tags'],
    [{ kinds: ['message'], tags: ['x'], tagsMatch: 'all' }, 'tags'],
    [{ kinds: ['message', 'memory'], types: ['fact'] }, 'types'],
    [{ kinds: ['message'], category: 'k' }, 'category'],
    [{ kinds: ['message'], minImportance: 0 }, 'minImportance'],
    [{ kinds: ['document'], minConfidence: 0 }, 'minConfidence'],
    [{ kinds: ['memory'], roles: ['user'] }, 'roles'],
    [{ kinds: ['memory'], namespace: 'n' }, 'namespace'],
    [{ kinds: ['document'], userId: ADA }, 'userId'],
    [{ kinds: ['document'], conversationId: 'c1' }, 'conversationId'],
  ]
  it('a filter that a named kind does not know is refused, never ignored', async () => {
    const memory = await open()
    await seed(memory)
    for (const [filter, field] of CASES)
      await refused(memory.search({ text: 'word', mode, ...filter }), 'validation', field)
    await refused(memory.searchMessages({ text: 'word', tags: ['x'] }), 'validation', 'tags')
    await refused(
      memory.search({ text: 'word', mode, metadata: { a: { near: 1 } } as never }),
      'validation',
      /^metadata\.a/,
    )
    expect(await found(memory, mode, { kinds: ['message'], userId: undefined, tags: undefined })).toBe('m1 m2 m3')
  })
}

function itLimitsLast({ mode, open }: Place): void {
  it('the limit applies after all filters', async () => {
    const memory = await open()
    const many = Array.from({ length: 400 }, (_, i) => ({
      id: `x${i}`,
      userId: 'bob',
      content: 'word word word',
      tags: ['common'],
      metadata: { page: 1 },
    }))
    await memory.memories.addMany(many)
    const content = `word ${'and much that dilutes it '.repeat(30)}`
    await memory.memories.add({ id: 'rare', userId: ADA, content, tags: ['rare'], metadata: { page: 2 } })
    await memory.settle()
    for (const filter of [{ userId: ADA }, { tags: ['rare'] }, { metadata: { page: { gt: 1 } } }]) {
      const hits = await memory.search({ text: 'word', mode, limit: 1, ...filter })
      expect(hits.map((hit) => hit.record.id)).toEqual(['rare'])
    }
  })
}
