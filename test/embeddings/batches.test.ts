import { describe, expect, test } from 'vitest'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { ClosedError, ConnectionError } from '../../src/errors.js'
import { counting, failure, lengths } from './counting.js'

describe('many texts', () => {
  test('go in batches, equal ones once, and come back in order', async () => {
    const given = counting(lengths)
    const texts = Array.from({ length: 23 }, (_, i) => 'x'.repeat(1 + ((i * 7) % 10)))
    const vectors = await createEmbedder({ embeddingFunction: given, embeddingBatchSize: 4 }).embedDocuments(texts)
    expect(vectors.map((vector) => vector[0])).toEqual(texts.map((text) => text.length))
    expect(given.calls.map((batch) => batch.length)).toEqual([4, 4, 2])
    expect(given.calls.flat()).toEqual([...new Set(texts)])
  })

  test('go 64 at a time unless told otherwise', async () => {
    const given = counting(lengths)
    await createEmbedder({ embeddingFunction: given }).embedDocuments(
      Array.from({ length: 130 }, (_, i) => `text ${i}`),
    )
    expect(given.calls.map((batch) => batch.length)).toEqual([64, 64, 2])
  })

  test('that are none are answered without a call', async () => {
    const given = counting(lengths)
    expect(await createEmbedder({ embeddingFunction: given }).embedDocuments([])).toEqual([])
    expect(given.calls).toEqual([])
  })

  test('may be changed by the caller or the function meanwhile', async () => {
    const given = counting((texts) => {
      const made = lengths(texts)
      texts.fill('changed')
      return made
    })
    const texts = ['a', 'bb', 'ccc']
    const asked = createEmbedder({ embeddingFunction: given, embeddingBatchSize: 2 }).embedDocuments(texts)
    texts.fill('dddd')
    expect((await asked).map((vector) => vector[0])).toEqual([1, 2, 3])
  })

  test('that are equal have vectors of their own', async () => {
    const [one, two] = await createEmbedder({ embeddingFunction: counting(lengths) }).embedDocuments(['a', 'a'])
    one?.fill(9)
    expect(two?.[0]).toBe(1)
  })
})

describe('a question', () => {
  test('that many ask at once is asked once', async () => {
    const given = counting(lengths)
    const embedder = createEmbedder({ embeddingFunction: given })
    const vectors = await Promise.all(Array.from({ length: 20 }, () => embedder.embedQuery('hello')))
    expect(given.calls).toEqual([['hello']])
    vectors[0]?.fill(9)
    expect(vectors[1]?.[0]).toBe(5)
  })

  test('that was asked before is remembered, whatever was done to its vector', async () => {
    const given = counting(lengths)
    const embedder = createEmbedder({ embeddingFunction: given })
    for (let i = 0; i < 3; i++) {
      const vector = await embedder.embedQuery('hello')
      expect(vector[0]).toBe(5)
      vector.fill(9)
    }
    await embedder.embedQuery('Hello')
    expect(given.calls).toEqual([['hello'], ['Hello']])
  })

  test('that failed is not remembered, and fails for all who asked', async () => {
    const given = counting((texts, call) => {
      if (call <= 3) throw new Error('no')
      return lengths(texts)
    })
    const embedder = createEmbedder({ embeddingFunction: given })
    const errors = await Promise.all([failure(embedder.embedQuery('a')), failure(embedder.embedQuery('a'))])
    for (const error of errors) expect(error).toBeInstanceOf(ConnectionError)
    expect((await embedder.embedQuery('a'))[0]).toBe(1)
    expect(given.calls).toHaveLength(4)
  })

  test('is forgotten where eight megabytes of later ones follow', async () => {
    const given = counting((texts) => texts.map(() => new Float32Array(16_384).fill(1)))
    const embedder = createEmbedder({ embeddingFunction: given })
    for (let i = 0; i < 200; i++) await embedder.embedQuery(`question ${i}`)
    await embedder.embedQuery('question 199')
    expect(given.calls).toHaveLength(200)
    await embedder.embedQuery('question 0')
    expect(given.calls).toHaveLength(201)
  })
})

describe('a closed embedder', () => {
  test('refuses every call, also what it remembered', async () => {
    const given = counting(lengths)
    const embedder = createEmbedder({ embeddingFunction: given })
    await embedder.embedQuery('hello')
    await embedder.close()
    await embedder.close()
    expect(await failure(embedder.embedQuery('hello'))).toBeInstanceOf(ClosedError)
    expect(await failure(embedder.embedQuery(''))).toBeInstanceOf(ClosedError)
    expect(await failure(embedder.embedDocuments(['a']))).toBeInstanceOf(ClosedError)
    expect(await failure(embedder.embedDocuments([]))).toBeInstanceOf(ClosedError)
    expect(given.calls).toHaveLength(1)
  })

  test('makes no further attempt for a call under way', async () => {
    const given = counting(() => {
      throw new Error('no')
    })
    const embedder = createEmbedder({ embeddingFunction: given })
    const asked = failure(embedder.embedQuery('a'))
    await embedder.close()
    expect(await asked).toBeInstanceOf(ClosedError)
    expect(given.calls).toHaveLength(1)
  })

  test('answers the call that was under way', async () => {
    let answer = () => {}
    const given = counting(async (texts) => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return lengths(texts)
    })
    const embedder = createEmbedder({ embeddingFunction: given })
    const asked = embedder.embedQuery('hello')
    await new Promise(setImmediate)
    await embedder.close()
    answer()
    expect((await asked)[0]).toBe(5)
  })
})
