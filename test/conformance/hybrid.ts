import { expect, it } from 'vitest'
import { refused } from './expecting.js'
import { ADA } from './fixtures.js'
import { type Ground, type Harness, vectorSuite } from './harness.js'
import { ids, meant, vectorOf, wordModel } from './vectors-fixtures.js'

const NEEDS = ['users', 'conversations', 'messages', 'memories', 'documents', 'atomicUnit', 'textSearch'] as const

/** What words find, what meaning finds, and what neither does, for the question `boat`. */
const WEIGHED = [
  { id: 'word', userId: ADA, content: 'boat garden garden' },
  { id: 'meaning', userId: ADA, content: 'ferry' },
  { id: 'neither', userId: ADA, content: 'cello' },
]

/** Words and meaning together, and what moves a score. */
export function describeHybrid(harness: Harness): void {
  vectorSuite(harness, 'hybrid search', NEEDS, (ground) => {
    itFuses(ground)
    itShapesScores(ground)
    itReranks(ground)
  })
}

function itFuses(ground: Ground): void {
  it('has what words find and what meaning finds', async () => {
    const memory = await meant(ground)
    const hits = await memory.search({ text: 'boat at noon', mode: 'hybrid', kinds: ['message'], explain: true })
    expect(hits[0]?.record.id).toBe('ferry')
    expect(hits[0]?.explain).toMatchObject({
      text: { rank: 1 },
      vector: { rank: 1 },
      fusion: { text: 1, vector: 1 },
    })
  })

  it('weights decide between the parts', async () => {
    const memory = await ground.open({ embeddingFunction: wordModel() })
    await memory.memories.addMany(WEIGHED)
    await memory.settle()
    const first = async (weights: { text: number; vector: number }) =>
      (await ids(memory, { text: 'boat', mode: 'hybrid', weights }))[0]
    expect(await first({ text: 1, vector: 0.1 })).toBe('word')
    expect(await first({ text: 0.1, vector: 1 })).toBe('meaning')
  })

  it('the weights of the memory decide where the question brings none', async () => {
    const first = async (
      searchWeights: { text?: number; vector?: number },
      weights?: { text: number; vector: number },
    ) => {
      const memory = await ground.open({ embeddingFunction: wordModel(), searchWeights })
      await memory.memories.addMany(WEIGHED)
      await memory.settle()
      return (await ids(memory, { text: 'boat', mode: 'hybrid', weights }))[0]
    }
    expect(await first({ vector: 0.1 })).toBe('word')
    expect(await first({ text: 0.1, vector: 1 })).toBe('meaning')
    expect(await first({ text: 0.1, vector: 1 }, { text: 1, vector: 0.1 })).toBe('word')
  })

  it('is text alone where nothing has a vector yet, and empty for a blank question', async () => {
    const memory = await ground.open({ embeddingDimensions: 3 })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'the ferry' })
    expect(await ids(memory, { text: 'ferry', vector: [1, 0, 0], mode: 'hybrid' })).toEqual(['m'])
    expect(await ids(memory, { text: ' ', mode: 'hybrid' })).toEqual([])
  })
}

function itShapesScores(ground: Ground): void {
  it('minScore leaves out what is below it', async () => {
    const memory = await meant(ground)
    const query = { text: 'walnut allergy', mode: 'vector', kinds: ['memory'] } as const
    expect(await ids(memory, { ...query, minScore: 0.95 })).toEqual(['nuts'])
  })

  it('recency and importance move memories by the stated formula', async () => {
    const memory = await ground.open()
    const at = ground.clock.date(-30 * 86_400_000)
    await memory.memories.addMany([
      { id: 'old', userId: ADA, content: 'the ferry', importance: 1, createdAt: at },
      { id: 'new', userId: ADA, content: 'the ferry', importance: 0.5 },
    ])
    const plain = await memory.search({ text: 'ferry' })
    const score = plain[0]?.score ?? 0
    const of = async (factors: object) =>
      Object.fromEntries((await memory.search({ text: 'ferry', factors })).map((hit) => [hit.record.id, hit.score]))
    expect(await of({ recency: 1, halfLife: 30 })).toEqual({ new: score, old: expect.closeTo(score / 2, 10) })
    expect(await of({ importance: 0.4 })).toEqual({ old: score, new: expect.closeTo(score * 0.8, 10) })
  })

  it('explain shows each word: how rare it is, what it brings, and where it stands', async () => {
    const memory = await meant(ground)
    const hits = await memory.search({ text: 'ferry', kinds: ['message'], explain: true })
    expect(hits[0]).toMatchObject({
      record: { id: 'ferry' },
      explain: { text: { terms: [{ distance: 0, documents: 1 }] } },
    })
    expect(hits[1]).toMatchObject({ record: { id: 'none' }, explain: { text: { terms: [{ distance: -1 }] } } })
    const [first] = hits[0]?.explain?.text?.terms ?? []
    expect(first?.idf).toBeCloseTo(Math.log(1 + (6 - 1 + 0.5) / 1.5), 10)
    expect(await ids(memory, { text: 'ferry', kinds: ['message'], neighbours: false })).toEqual(['ferry'])
  })
}

function itReranks(ground: Ground): void {
  it('a reranker has the last word, and a wrong one is told', async () => {
    let scores: readonly number[] = [0.1, 0.9]
    const memory = await ground.open({ reranker: { rerank: async () => scores } })
    await memory.memories.addMany([
      { id: 'a', userId: ADA, content: 'ferry ferry' },
      { id: 'b', userId: ADA, content: 'ferry and more words than the other one' },
    ])
    const before = await ids(memory, { text: 'ferry', rerank: false })
    const after = await memory.search({ text: 'ferry', explain: true })
    expect(after.map((hit) => hit.record.id)).toEqual(before.toReversed())
    expect(after[0]).toMatchObject({ score: 0.9, explain: { reranked: { from: expect.any(Number) } } })
    scores = [1]
    await refused(memory.search({ text: 'ferry' }), 'configuration')
  })

  it('a reranker is asked outside of units alone, for a question in words, and not where a memory is recalled', async () => {
    let asked = 0
    const rerank = async (_: string, texts: readonly string[]) => {
      asked++
      return texts.map((_, i) => (i + 1) / texts.length)
    }
    const memory = await ground.open({ reranker: { rerank }, embeddingFunction: wordModel() })
    await memory.memories.addMany([
      { id: 'a', userId: ADA, content: 'ferry ferry' },
      { id: 'b', userId: ADA, content: 'ferry and more words than the other one' },
    ])
    await memory.settle()
    const before = await ids(memory, { text: 'ferry', rerank: false })
    await memory.unitOfWork(async (unit) => {
      expect(await ids(unit, { text: 'ferry' })).toEqual(before)
      expect(await ids(unit, { text: 'ferry', rerank: true, limit: 1 })).toEqual(before.slice(0, 1))
      const { memories } = await unit.context({ userId: ADA, text: 'ferry', strategy: 'relevant' })
      expect(memories.map(({ id }) => id)).toEqual(before)
    })
    const recalled = await memory.memories.recall({ text: 'ferry', limit: 1 })
    expect(recalled.map(({ id }) => id)).toEqual(before.slice(0, 1))
    const wordless = { vector: vectorOf('ferry'), mode: 'vector', factors: { importance: 0.1 }, limit: 1 } as const
    expect(await ids(memory, wordless)).toHaveLength(1)
    expect(asked).toBe(0)
    expect(await ids(memory, { text: 'ferry' })).toEqual(before.toReversed())
    await memory.context({ userId: ADA, text: 'ferry', strategy: 'relevant' })
    expect(asked).toBe(2)
  })
}
