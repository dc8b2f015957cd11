import { expect, it } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import type { SearchMode } from '../../src/contract/search.js'
import { naughtyStrings } from '../support/naughty.js'
import { isTyped, refused } from './expecting.js'
import { ADA, says, talk } from './fixtures.js'
import { type Ground, type Harness, vectorSuite } from './harness.js'
import { ids, meant, vectorOf, wordModel } from './vectors-fixtures.js'

const NEEDS = ['messages', 'memories', 'documents'] as const
const KEEPS = ['users', 'conversations', ...NEEDS, 'atomicUnit', 'textSearch'] as const

/** Vectors that records bring, and questions that cannot be answered. */
export function describeVectorInput(harness: Harness): void {
  vectorSuite(harness, 'vectors as input', NEEDS, (ground) => {
    itTakesOwnVectors(ground)
    itTakesQuestions(ground)
  })
  vectorSuite(harness, 'vectors behind the writes', KEEPS, itRefuses)
}

function itTakesOwnVectors(ground: Ground): void {
  it('finds records by the vectors they bring, without a model', async () => {
    const memory = await ground.open({ embeddingDimensions: 3 })
    await talk(memory, 'c', [says('x', { id: 'm', vector: [1, 0, 0] })])
    await memory.memories.add({ id: 'e', userId: ADA, content: 'y', vector: Float32Array.of(0, 1, 0) })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'z', vector: [0, 0, 1] })
    for (const [id, vector] of [
      ['m', [0.9, 0.1, 0]],
      ['e', [0, 5, 0.1]],
      ['d', [0.1, 0, 2]],
    ] as const)
      expect((await ids(memory, { vector, mode: 'vector' }))[0]).toBe(id)
    await refused(memory.search({ text: 'x', mode: 'vector' }), 'unsupported')
  })

  it('a model does not replace the vector that a record brought, until its text changes', async () => {
    const model = wordModel()
    const memory = await ground.open({ embeddingFunction: model })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'a ferry', vector: vectorOf('cello') })
    await memory.settle()
    expect(model.texts).toEqual([])
    const [own] = await memory.search({ text: 'cello', mode: 'vector', kinds: ['memory'] })
    expect(own?.score).toBeGreaterThan(0.99)
    await memory.memories.update('m', { content: 'a garden' })
    await memory.settle()
    expect(model.texts).toEqual(['a garden'])
  })

  it('refuses a vector of another shape, names it, and writes nothing', async () => {
    const memory = await ground.open({ embeddingDimensions: 3 })
    for (const [vector, field] of [
      [[1, 2], 'vector'],
      [[1, 2, Number.NaN], 'vector[2]'],
      [[1, 2, 1e39], 'vector[2]'],
      [[0, 0, 0], 'vector'],
      ['abc', 'vector'],
      [{}, 'vector'],
    ] as const) {
      const memoryOf = { userId: ADA, content: 'x', vector: vector as never }
      expect(await refused(memory.memories.add(memoryOf), 'validation')).toHaveProperty('field', field)
      const search = memory.search({ vector: vector as never, mode: 'vector' })
      expect(await refused(search, 'validation')).toHaveProperty('field', field)
    }
    const two = [says('a'), says('b', { vector: [1] })]
    expect(await refused(memory.messages.append('c', two, { userId: ADA }), 'validation')).toHaveProperty(
      'field',
      'messages[1].vector',
    )
    expect((await memory.statistics()).memories).toBe(0)
    expect((await memory.messages.list('c')).items).toEqual([])
  })

  it('every metric finds the nearest first', async () => {
    for (const distanceMetric of ['cosine', 'dot', 'euclidean'] as const) {
      const memory = await ground.open({ embeddingDimensions: 2, distanceMetric })
      await memory.memories.addMany([
        { id: 'near', userId: ADA, content: 'a', vector: [0.6, 0.1] },
        { id: 'far', userId: ADA, content: 'b', vector: [-0.2, 0.5] },
      ])
      const hits = await memory.search({ vector: [0.6, 0], mode: 'vector' })
      expect(hits.map((hit) => hit.record.id)).toEqual(['near', 'far'])
      for (const { score } of hits) expect(score >= 0 && score <= 1).toBe(true)
    }
  })
}

const modesOf = (ground: Ground): readonly SearchMode[] =>
  ground.lacks('textSearch') ? ['vector'] : ['text', 'vector', 'hybrid']

function itTakesQuestions(ground: Ground): void {
  it('any text is a question in every mode', async () => {
    const memory = await meant(ground)
    const long = [
      'word '.repeat(100_000),
      'the and of',
      '🦊',
      '\u0000',
      '\ud800',
      '日'.repeat(20_000),
      '"'.repeat(5000),
    ]
    for (const text of [...naughtyStrings(), ...long])
      for (const mode of modesOf(ground)) {
        const answer = await memory.search({ text, mode, limit: 3 }).catch((error: unknown) => error)
        if (!Array.isArray(answer)) expect(isTyped(answer), `${mode} ${JSON.stringify(text.slice(0, 50))}`).toBe(true)
      }
  })

  it('two tenants with the same texts have the same answers, whatever the others write', async () => {
    const memory = await meant(ground)
    const twin = memory.forTenant('twin')
    const texts = ['the ferry at noon', 'ferry and train', 'a garden', 'walnut ferry']
    const fill = (tenant: TenantMemory) =>
      tenant.memories.addMany(texts.map((content, i) => ({ id: `${i}`, userId: 'x', content })))
    await fill(memory.forTenant('one'))
    await fill(twin)
    await memory.settle()
    const asked = async (tenant: TenantMemory, mode: SearchMode) =>
      (await tenant.search({ text: 'ferry garden', mode })).map((hit) => [hit.record.id, hit.score])
    for (const mode of modesOf(ground)) {
      const before = await asked(twin, mode)
      expect(before).toEqual(await asked(memory.forTenant('one'), mode))
      const flood = Array.from({ length: 50 }, () => ({ userId: 'x', content: 'ferry ferry' }))
      await memory.forTenant('loud').memories.addMany(flood)
      await memory.settle()
      expect(await asked(twin, mode)).toEqual(before)
    }
  })

  it('refuses queries that say nothing or too much', async () => {
    const memory = await meant(ground)
    for (const [query, field] of [
      [{}, 'text'],
      [{ mode: 'vector' }, 'text'],
      [{ text: 'x', mode: 'both' }, 'mode'],
      [{ text: 'x', minScore: 2 }, 'minScore'],
      [{ text: 'x', candidates: 0 }, 'candidates'],
      [{ text: 'x', weights: { text: 0, vector: 0 } }, 'weights'],
      [{ text: 'x', weights: { words: 1 } }, 'words'],
      [{ text: 'x', factors: { recency: 2 } }, 'factors.recency'],
      [{ text: 'x', neighbours: 'yes' }, 'neighbours'],
      [{ text: 'x', vectors: [1] }, 'vectors'],
    ] as const)
      expect(await refused(memory.search(query as never), 'validation')).toHaveProperty('field', field)
  })
}

function itRefuses(ground: Ground): void {
  it('refuses vectors where the memory has no space for them', async () => {
    const memory = await ground.open()
    await refused(memory.memories.add({ userId: ADA, content: 'x', vector: [1] }), 'unsupported')
  })

  it('a model that fails is a typed error, and text search still answers', async () => {
    const dead = { model: 'words', dimensions: 8, embedDocuments: fails, embedQuery: fails }
    const memory = await ground.open({ embeddingFunction: dead, embeddingTimeout: 1000 })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'the ferry' })
    for (const mode of ['vector', 'hybrid'] as const) {
      const error = await refused(memory.search({ text: 'the secret ferry', mode }), 'configuration')
      expect(String(error)).not.toContain('secret')
    }
    expect(await ids(memory, { text: 'ferry', kinds: ['memory'] })).toEqual(['m'])
  })

  it('a text that the model cannot take is parked and stops no other', async () => {
    const model = wordModel()
    const picky = {
      ...model,
      embedDocuments: async (texts: string[]) =>
        texts.map((text) => (text.includes('poison') ? [Number.NaN] : vectorOf(text))),
    }
    const memory = await ground.open({ embeddingFunction: picky })
    const contents = ['a ferry', 'poison', 'a cello']
    await memory.memories.addMany(contents.map((content, i) => ({ id: `${i}`, userId: ADA, content })))
    for (let i = 0; i < 6; i++) {
      await memory.settle()
      ground.clock.advance(3_600_000)
    }
    expect(await memory.settle()).toEqual({ pending: 0, parked: 1 })
    const found = await ids(memory, { text: 'ferry cello', mode: 'vector', kinds: ['memory'] })
    expect(found.sort()).toEqual(['0', '2'])
  })

  it('a model of unknown dimensions that comes late embeds what was written before it answered', async () => {
    let alive = false
    const answer = <T>(value: T): Promise<T> =>
      alive ? Promise.resolve(value) : Promise.reject(Object.assign(new Error('down'), { status: 401 }))
    const late = {
      embedDocuments: (texts: string[]) => answer(texts.map(vectorOf)),
      embedQuery: (text: string) => answer(vectorOf(text)),
    }
    const memory = await ground.open({ embeddingFunction: late })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'a ferry' })
    await refused(memory.settle(), 'configuration')
    expect(await ids(memory, { text: 'ferry', kinds: ['memory'] })).toEqual(['m'])
    alive = true
    expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
    expect(await ids(memory, { text: 'boat', mode: 'vector', kinds: ['memory'] })).toEqual(['m'])
  })

  it('an operation with another vector is another operation', async () => {
    const memory = await ground.open({ embeddingDimensions: 2 })
    const add = (vector: ArrayLike<number>) =>
      memory.memories.add({ id: 'm', userId: ADA, content: 'x', vector }, { operationId: 'o' })
    const first = await add(Float32Array.of(1, 2))
    expect(await add([1, 2])).toEqual(first)
    await refused(add(Float32Array.of(1, 3)), 'conflict')
  })

  it('inside a unit a question needs its vector', async () => {
    const memory = await meant(ground)
    await memory.unitOfWork(async (unit) => {
      await refused(unit.search({ text: 'boat', mode: 'vector' }), 'unsupported')
      const hits = await unit.search({ vector: vectorOf('boat'), mode: 'vector', kinds: ['message'], limit: 1 })
      expect(hits[0]?.record.id).toBe('ferry')
    })
  })
}

const fails = async (): Promise<never> => {
  throw Object.assign(new Error('the secret text'), { status: 401 })
}
