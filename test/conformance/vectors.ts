import { expect, it } from 'vitest'
import { refused } from './expecting.js'
import { ADA, answers, says, talk } from './fixtures.js'
import { type Ground, type Harness, vectorSuite } from './harness.js'
import { ids, meant, vectorOf, wordModel } from './vectors-fixtures.js'

const NEEDS = ['messages', 'memories', 'documents'] as const
/** Of a store that makes vectors behind its writes, of whatever it holds. */
const KEEPS = ['users', 'conversations', ...NEEDS, 'atomicUnit', 'textSearch'] as const

/** Vectors of a store that makes them itself. */
export function describeVectors(harness: Harness): void {
  vectorSuite(harness, 'vector search', NEEDS, (ground) => {
    itFinds(ground)
    itEmbeds(ground)
  })
  vectorSuite(harness, 'vector search: upkeep', KEEPS, itKeepsUp)
}

function itFinds(ground: Ground): void {
  it('finds by meaning what has none of the words, in every kind', async () => {
    const memory = await meant(ground)
    expect((await ids(memory, { text: 'a boat', mode: 'vector', kinds: ['message'], limit: 1 }))[0]).toBe('ferry')
    expect(await ids(memory, { text: 'portugal', mode: 'vector', kinds: ['memory'], limit: 1 })).toEqual(['town'])
    expect(await ids(memory, { text: 'violin', mode: 'vector', kinds: ['document'], limit: 1 })).toEqual(['music'])
    if (!ground.lacks('textSearch')) expect(await memory.search({ text: 'boat', kinds: ['message'] })).toEqual([])
  })

  it('answers scores from 0 to 1, best first, the nearest near 1', async () => {
    const memory = await meant(ground)
    const hits = await memory.search({ text: 'walnut allergy', mode: 'vector', kinds: ['memory'] })
    expect(hits[0]?.record.id).toBe('nuts')
    expect(hits[0]?.score).toBeGreaterThan(0.99)
    for (const [i, { score }] of hits.entries()) {
      expect(score).toBeGreaterThanOrEqual(0)
      expect(score).toBeLessThanOrEqual(hits[i - 1]?.score ?? 1)
    }
  })

  it('meets every filter, with the limit after it', async () => {
    const memory = await meant(ground)
    const nuts = { text: 'nuts', mode: 'vector', kinds: ['memory'] } as const
    expect(await ids(memory, { ...nuts, userId: 'bob' })).toEqual(['other'])
    expect(await ids(memory, { ...nuts, tags: ['home'], limit: 1 })).toEqual(['town'])
    expect(await ids(memory, { ...nuts, minImportance: 0.5, userId: ADA })).toEqual(['nuts'])
    expect(await ids(memory, { ...nuts, from: ground.clock.date(1) })).toEqual([])
    const train = { text: 'train', mode: 'vector', namespace: 'notes' } as const
    expect(await ids(memory, train)).toEqual(['music'])
    const said = { text: 'ferry', mode: 'vector', kinds: ['message'], roles: ['assistant'] } as const
    expect(await ids(memory, said)).toEqual(['none'])
    expect(await ids(memory, { text: 'ferry', mode: 'vector', conversationId: 'elsewhere' })).toEqual([])
  })

  it('answers the same whether the nearest are looked for exactly or by a selection', async () => {
    const memory = await meant(ground)
    const query = { text: 'lisbon garden', mode: 'vector', kinds: ['memory'] } as const
    expect(await ids(memory, { ...query, exact: true })).toEqual(await ids(memory, query))
  })

  it('never crosses tenants', async () => {
    const memory = await meant(ground)
    const other = memory.forTenant('other')
    expect(await other.search({ text: 'ferry', mode: 'vector' })).toEqual([])
    await other.memories.add({ id: 'mine', userId: ADA, content: 'the ferry of another' })
    await memory.settle()
    const mode = ground.lacks('textSearch') ? 'vector' : 'hybrid'
    expect(await ids(other, { text: 'ferry', mode })).toEqual(['mine'])
    expect(await ids(memory, { text: 'ferry', mode: 'vector', limit: 100 })).not.toContain('mine')
  })

  it('leaves out what has expired', async () => {
    const memory = await meant(ground)
    await memory.memories.update('nuts', { expiresAt: ground.clock.date(1000) })
    ground.clock.advance(1000)
    const query = { text: 'walnut', mode: 'vector', kinds: ['memory'], userId: ADA } as const
    expect(await ids(memory, query)).toEqual(['town'])
    expect(await ids(memory, { ...query, includeExpired: true })).toEqual(['nuts', 'town'])
  })
}

const walnut = { text: 'walnut', mode: 'vector', kinds: ['memory'], userId: ADA } as const

function itEmbeds(ground: Ground): void {
  it('embeds a text once, again when it changes, and not for another change', async () => {
    const model = wordModel()
    const memory = await ground.open({ embeddingFunction: model })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'a walnut' })
    await memory.settle()
    await memory.memories.update('m', { importance: 0.7, tags: ['x'] })
    await memory.memories.recall({ userId: ADA })
    await memory.settle()
    expect(model.texts).toEqual(['a walnut'])
    await memory.memories.update('m', { content: 'a cello' })
    // Until it is embedded again, it has no vector: not the one of its old text.
    if (!ground.lacks('atomicUnit')) expect(await ids(memory, walnut)).toEqual([])
    await memory.settle()
    expect(model.texts).toEqual(['a walnut', 'a cello'])
    const [hit] = await memory.search({ ...walnut, text: 'violin' })
    expect(hit?.score).toBeGreaterThan(0.99)
  })

  it('documents are replaced with their vectors, and the same text is not embedded twice', async () => {
    const model = wordModel()
    const memory = await ground.open({ embeddingFunction: model })
    const put = (content: string, page: number) =>
      memory.documents.upsert({ namespace: 'n', id: 'd', content, metadata: { page } })
    await put('a ferry', 1)
    await memory.settle()
    await put('a ferry', 2)
    await memory.settle()
    expect(model.texts).toEqual(['a ferry'])
    await put('a cello', 3)
    await memory.settle()
    expect(model.texts).toEqual(['a ferry', 'a cello'])
    const hits = await memory.search({ text: 'violin', mode: 'vector', kinds: ['document'] })
    expect(hits).toMatchObject([{ record: { id: 'd', metadata: { page: 3 } } }])
    expect(hits[0]?.score).toBeGreaterThan(0.99)
  })

  it('a message that is put again has one vector, that of its last text', async () => {
    const memory = await ground.open({ embeddingFunction: wordModel() })
    for (const text of ['the ferry', 'the ferry', 'the cello'])
      await memory.messages.upsert('c', says(text, { id: 'm' }), { userId: ADA })
    await memory.settle()
    const hits = await memory.search({ text: 'violin', mode: 'vector', kinds: ['message'], neighbours: false })
    expect(hits.map((hit) => hit.record.id)).toEqual(['m'])
    expect(hits[0]?.score).toBeGreaterThan(0.99)
  })

  it('a deleted record is found no more', async () => {
    const memory = await meant(ground)
    await memory.memories.delete('nuts')
    await memory.messages.delete('c', 'ferry')
    await memory.documents.deleteNamespace('notes')
    const all = await ids(memory, { text: 'ferry cello walnut', mode: 'vector', limit: 100 })
    expect(all.sort()).toEqual(['cello', 'f1', 'f2', 'f3', 'none', 'other', 'town', 'trains'])
  })

  it('a rolled-back unit leaves nothing that is found', async () => {
    const memory = await ground.open({ embeddingFunction: wordModel() })
    await memory.memories.add({ id: 'stays', userId: ADA, content: 'a garden' })
    const rolledBack = memory.unitOfWork(async (unit) => {
      await unit.memories.add({ userId: ADA, content: 'a walnut' })
      await unit.memories.update('stays', { content: 'a walnut' })
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    await memory.settle()
    const hits = await memory.search(walnut)
    expect(hits).toMatchObject([{ record: { id: 'stays', content: 'a garden' } }])
    expect(hits[0]?.score).toBeLessThan(0.5)
  })

  it('drafts wait until they are complete', async () => {
    const model = wordModel()
    const memory = await ground.open({ embeddingFunction: model })
    await talk(memory, 'c', [answers('the fer', { id: 'd', status: 'draft' })])
    await memory.settle()
    expect(model.texts).toEqual([])
    await memory.messages.update('c', 'd', { content: 'the ferry', status: 'complete' })
    await memory.settle()
    expect(model.texts).toEqual(['the ferry'])
  })
}

function itKeepsUp(ground: Ground): void {
  it('a rolled-back unit leaves nothing to embed', async () => {
    const model = wordModel()
    const memory = await ground.open({ embeddingFunction: model })
    const rolledBack = memory.unitOfWork(async (unit) => {
      await unit.memories.add({ userId: ADA, content: 'a walnut' })
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    await memory.settle()
    expect(model.texts).toEqual([])
  })

  it('a record is found no more once its conversation or user is gone', async () => {
    const memory = await meant(ground)
    await memory.conversations.delete('c')
    const all = await ids(memory, { text: 'ferry cello walnut', mode: 'vector', limit: 100 })
    expect(all.sort()).toEqual(['music', 'nuts', 'other', 'town', 'trains'])
    await memory.users.delete('bob')
    const walnuts = await ids(memory, { text: 'walnut', mode: 'vector', kinds: ['memory'], limit: 100 })
    expect(walnuts.sort()).toEqual(['nuts', 'town'])
  })

  ground.shared('records that were there before the model was are embedded when it comes', async () => {
    const memory = await ground.open()
    await memory.memories.add({ id: 'old', userId: ADA, content: 'a walnut' })
    await refused(memory.search(walnut), 'unsupported')
    const knows = await ground.reopen(memory, { embeddingFunction: wordModel() })
    await knows.settle()
    expect(await ids(knows, walnut)).toEqual(['old'])
  })

  ground.shared('what a process without the model writes is embedded by one that has it', async () => {
    const knows = await ground.open({ embeddingFunction: wordModel() })
    const writes = await ground.reopen(knows)
    await writes.memories.add({ id: 'm', userId: ADA, content: 'a walnut' })
    await knows.settle()
    expect(await ids(knows, walnut)).toEqual(['m'])
    expect(await ids(writes, { ...walnut, text: undefined, vector: vectorOf('nuts') })).toEqual(['m'])
  })

  ground.shared('another model, dimension or metric is refused at open, with the way out', async () => {
    const memory = await ground.open({ embeddingFunction: wordModel() })
    await memory.connect()
    for (const options of [
      { embeddingFunction: wordModel('another') },
      { embeddingFunction: { ...wordModel(), dimensions: 9 } },
      { embeddingFunction: wordModel(), distanceMetric: 'dot' },
      { embeddingDimensions: 8 },
    ] as const) {
      const error = await refused(ground.reopen(memory, options), 'configuration')
      expect(String(error)).toContain('bruno-memory reembed')
    }
  })

  it('a branch of a conversation is found too', async () => {
    const memory = await meant(ground)
    const branch = await memory.conversations.get((await memory.messages.branch('c', 'ferry')).id)
    await memory.settle()
    const query = { text: 'boat', mode: 'vector', conversationId: branch?.id, kinds: ['message'] } as const
    expect(await ids(memory, query)).toEqual(['ferry'])
  })
}
