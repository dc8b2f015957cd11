import { afterEach, describe, expect, inject, it } from 'vitest'
import { hashOf } from '../../src/backends/vector/point.js'
import type { Carried } from '../../src/contract/transfer.js'
import { refused } from '../conformance/expecting.js'
import { collect, idsOf, positionsOf, says } from '../conformance/fixtures.js'
import { MODEL_DIMENSIONS, vectorOf, wordModel } from '../conformance/vectors-fixtures.js'
import { at, carried, document, memoryEntry, message, own } from './support/vector-carried.js'
import { type OpenEnd, openEnd, sinkOf, sourceOf } from './support/vector-ends.js'
import { ALL, byName, readAll } from './support/vector-records.js'

const NAMES = ['qdrant', 'chromadb'] as const
const urlOf = (name: string): string => inject('servers')[name === 'qdrant' ? 'QDRANT_URL' : 'CHROMA_URL']
const ends: OpenEnd[] = []

async function fresh(name: string, options: object = {}, url = urlOf(name)): Promise<OpenEnd> {
  const end = await openEnd(name, url, { embeddingFunction: wordModel(), ...options })
  ends.push(end)
  return end
}

afterEach(async () => {
  for (const end of ends.splice(0)) await end.remove()
})

const NONE = { written: 0, present: 0, refused: [] }

describe.each(NAMES)('%s takes', (name) => {
  it('records with all that they have, and works on as if they had been written here', async () => {
    const end = await fresh(name)
    const memory = end.memory()
    const a = memory.forTenant('a')
    const past = new Date(Date.now() - 1000)
    const outcome = await sinkOf(end.backend).write([
      carried.message(),
      carried.message({ id: 'm2', position: 9, content: 'take the ferry', role: 'assistant', parentId: 'm1' }),
      carried.memory({ accessCount: 4, lastAccessedAt: at }),
      carried.memory({ id: 'over', expiresAt: past }),
      carried.document(),
      carried.document({ id: 'over', expiresAt: past }),
      carried.document({ tenantId: 'b' }),
    ])
    expect(outcome).toEqual({ written: 7, present: 0, refused: [] })

    expect((await a.messages.list('c')).items).toEqual([
      message(),
      message({ id: 'm2', position: 9, content: 'take the ferry', role: 'assistant', parentId: 'm1' }),
    ])
    expect(await a.memories.get('e')).toEqual(memoryEntry({ accessCount: 4, lastAccessedAt: at }))
    expect(await a.documents.get('n', 'd')).toEqual(document())
    expect(await a.memories.get('over')).toBeNull()

    const hits = await a.search({ text: 'nuts', kinds: ['message'], mode: 'vector' })
    expect(hits.map(({ record }) => record.id).sort()).toEqual(['m1', 'm2'])
    expect(await a.statistics({ userId: 'ada' })).toMatchObject({ messages: 2, memories: 1 })

    await refused(a.messages.append('c', says('x', { id: 'm1' }), { userId: 'ada' }), 'conflict')
    await refused(a.messages.append('c', says('x'), { userId: 'eve' }), 'not-found')
    await a.messages.append('c', says('and a cello', { id: 'm3' }), { userId: 'ada' })
    const { items } = await a.messages.list('c')
    expect(idsOf(items)).toEqual(['m1', 'm2', 'm3'])
    expect(positionsOf(items)[2]).toBeGreaterThan(9)
    expect(await a.messages.update('c', 'm1', { content: 'a boat' })).toMatchObject({ version: 4, position: 7 })
    await a.messages.delete('c', 'm1')
    expect((await a.messages.list('c')).items).toMatchObject([{ id: 'm2', parentId: null }, { id: 'm3' }])
    await a.documents.upsert([{ namespace: 'n', id: 'd', content: 'another' }])
    expect(await a.documents.get('n', 'd')).toMatchObject({ version: 4, createdAt: at })

    expect(await memory.sweep()).toMatchObject({ memories: 1, documents: 1 })
    expect(await a.documents.deleteNamespace('n')).toBe(1)
    await a.memories.delete('e')
    expect(await collect(a.memories.each())).toEqual([])
    expect(await memory.forTenant('b').documents.get('n', 'd')).toEqual(document({ tenantId: 'b' }))
  })

  it('nothing over what is there, which may be newer', async () => {
    const end = await fresh(name)
    const { documents } = end.memory().forTenant('a')
    await documents.upsert([{ namespace: 'n', id: 'd', content: 'was here' }])
    const sink = sinkOf(end.backend)
    await sink.open(null)
    expect(await sink.write([carried.document(), carried.document({ id: 'D' })])).toEqual({
      ...NONE,
      written: 1,
      present: 1,
    })
    expect(await documents.get('n', 'd')).toMatchObject({ content: 'was here', version: 1 })
  })

  it('a batch with one record twice, and one twice, once; others beside it', async () => {
    const end = await fresh(name)
    const sink = sinkOf(end.backend)
    const batch = [carried.memory(), carried.memory({ content: 'second' }), carried.document(), carried.message()]
    expect(await sink.write(batch)).toEqual({ ...NONE, written: 3, present: 1 })
    expect(await sink.write([...batch, carried.message({ id: 'M1' })])).toEqual({ ...NONE, written: 1, present: 4 })
    expect(await sink.write([])).toEqual(NONE)
    expect(await sink.count(ALL)).toBe(4)
    expect(await end.memory().forTenant('a').memories.get('e')).toMatchObject({ content: 'a ferry' })
  })

  it('all but what does not fit, and says which and why without content', async () => {
    const end = await fresh(name, { embeddingFunction: undefined, embeddingDimensions: MODEL_DIMENSIONS })
    const short = own([1, 2, 3])
    const outcome = await sinkOf(end.backend).write([
      carried.document({ id: 'fits' }),
      carried.document({}, { vector: short }),
      carried.document({}, { vector: own(vectorOf('x').fill(0)) }),
      carried.document({}, { vector: own(vectorOf('x').fill(Number.NaN)) }),
      carried.document({}, { vector: null }),
      { kind: 'user', vector: null, record: {} } as unknown as Carried,
      carried.document({}, { fault: 'metadata: must be an object' }),
      carried.message({ status: 'draft' }, { vector: null }),
      carried.message({ id: 'parts', content: '', parts: [1] }, { vector: null }),
    ])
    expect(outcome).toMatchObject({ written: 3, present: 0 })
    expect(outcome.refused.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6])
    const reasons = outcome.refused.map(({ reason }) => reason)
    expect(reasons[0]).toMatch(/^vector: must have 8 numbers.* and has 3$/)
    expect(reasons[1]).toBe('vector: must not be all zeros')
    expect(reasons[2]).toMatch(/^vector\[0\]: must be a finite number/)
    expect(reasons[3]).toBe('vector: is missing and the store has no embeddingFunction')
    expect(reasons[4]).toBe('kind: is not kept by this store')
    expect(reasons[5]).toBe('metadata: must be an object')
    expect(JSON.stringify(reasons)).not.toContain('cello')
    expect(await sinkOf(end.backend).count(ALL)).toBe(3)
  })

  it('records without vectors, and has them made together, of each once', async () => {
    const model = wordModel()
    const end = await fresh(name, { embeddingFunction: model })
    const sink = sinkOf(end.backend)
    const bare = (id: string, content: string) => carried.memory({ id, content }, { vector: null })
    const batch = [bare('one', 'a walnut'), carried.document(), bare('two', 'a boat')]
    expect(await sink.write(batch)).toEqual({ ...NONE, written: 3 })
    expect(await sink.write([...batch, bare('three', 'a train')])).toEqual({ ...NONE, written: 1, present: 3 })
    expect(model.texts).toEqual(['a walnut', 'a boat', 'a train'])
    const all = Object.values(byName(await readAll(sourceOf(end.backend))))
    expect(all.find(({ record }) => record.id === 'two')?.hash).toBe(hashOf('a boat'))
    const [hit] = await end
      .memory()
      .forTenant('a')
      .search({ text: 'nuts', kinds: ['memory'] })
    expect(hit?.record.id).toBe('one')
  })

  it('messages of which nobody knows whose they are', async () => {
    const end = await fresh(name)
    await sinkOf(end.backend).write([carried.message({}, { holder: undefined })])
    expect(await readAll(sourceOf(end.backend))).toMatchObject([{ record: { id: 'm1' } }])
    expect((await readAll(sourceOf(end.backend)))[0]).not.toHaveProperty('holder')
    const { messages } = end.memory().forTenant('a')
    await messages.update('c', 'm1', { content: 'changed' })
    await messages.append('c', says('next'), { userId: 'ada' })
    expect((await messages.list('c')).items).toHaveLength(2)
    await refused(messages.append('c', says('next'), { userId: 'eve' }), 'not-found')
  })

  it('more in one call than one request carries', async () => {
    const end = await fresh(name)
    const many = Array.from({ length: 1700 }, (_, i) => carried.document({ id: `d${i}`, tenantId: `t${i % 3}` }))
    expect(await sinkOf(end.backend).write(many)).toEqual({ ...NONE, written: 1700 })
    const ranges = await sourceOf(end.backend).ranges(ALL, 100)
    expect(ranges.length).toBeGreaterThan(16)
    const all = await readAll(sourceOf(end.backend), { records: 100, limits: { records: 64, bytes: 1e6 } })
    expect(Object.keys(byName(all))).toHaveLength(1700)
  })
})
