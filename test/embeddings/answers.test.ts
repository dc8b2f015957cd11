import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { EmbeddingFunction } from '../../src/contract/embedder.js'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { ConfigurationError, ValidationError } from '../../src/errors.js'
import { counting, failure, lengths } from './counting.js'

// biome-ignore format: one case a line
const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
  ['too few vectors', [[1, 2]], /1 vectors for 2 texts/],
  ['too many vectors', [[1], [2], [3]], /3 vectors for 2 texts/],
  ['no array', { 0: [1], 1: [2], length: 2 }, /no array/],
  ['nothing', undefined, /no array/],
  ['a sparse array', Object.assign(new Array(2), { 0: [1] }), /vectors\[1\]: must be an array/],
  ['NaN', [[1, 2], [1, Number.NaN]], /vectors\[1\]\[1\]: must be a finite number/],
  ['infinity', [[1, Number.POSITIVE_INFINITY], [1, 1]], /vectors\[0\]\[1\]/],
  ['more than 32 bits hold', [[1, 1e39], [1, 1]], /vectors\[0\]\[1\]/],
  ['numbers as strings', [['1', '2'], ['1', '2']], /vectors\[0\]\[0\]/],
  ['null within', [[1, null], [1, 2]], /vectors\[0\]\[1\]/],
  ['a hole within', [Object.assign(new Array(3), [1, 2]), [1, 2, 3]], /vectors\[0\]\[2\]/],
  ['big integers', [new BigInt64Array(2), new BigInt64Array(2)], /vectors\[0\]\[0\]/],
  ['a string for a vector', ['ab', 'cd'], /vectors\[0\]: must be an array/],
  ['a number for a vector', [1, 2], /vectors\[0\]: must be an array/],
  ['an object for a vector', [{}, {}], /vectors\[0\]: must be an array/],
  ['a length that is no whole number', [{ length: 1.5 }, [1]], /vectors\[0\]/],
  ['an empty vector', [[], []], /must have 1 to 16384 numbers/],
  ['too many dimensions', [new Float32Array(16_385).fill(1), [1]], /must have 1 to 16384 numbers/],
  ['zeros', [[1, 1], [0, -0]], /vectors\[1\]: must not be all zeros/],
  ['what 32 bits round to zeros', [[1e-60, 0], [1, 1]], /vectors\[0\]: must not be all zeros/],
  ['two dimensions in one answer', [[1, 2], [1, 2, 3]], /3 dimensions instead of 2/],
]

describe('an answer of', () => {
  test.each(WRONG)('%s is refused, once', async (_, answer, message) => {
    const given = counting(() => answer)
    const embedder = createEmbedder({ embeddingFunction: given })
    const error = await failure(embedder.embedDocuments(['secret text', 'another']))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch(message)
    expect(inspect(error)).not.toContain('secret text')
    expect(given.calls).toHaveLength(1)
    expect(embedder.dimensions).toBeNull()
  })

  test('any array-like of numbers becomes one of 32 bits, and not the same memory', async () => {
    const own = new Float32Array([1, 2, 3])
    for (const vector of [own, [1, 2, 3], new Float64Array([1, 2, 3]), { 0: 1, 1: 2, 2: 3, length: 3 }]) {
      const [made] = await createEmbedder({ embeddingFunction: counting(() => [vector]) }).embedDocuments(['a'])
      expect(made).toEqual(new Float32Array([1, 2, 3]))
      expect(made).not.toBe(own)
    }
  })
})

describe('dimensions', () => {
  test('are those of the first vector, and stay', async () => {
    const embedder = createEmbedder({
      embeddingFunction: counting((texts, call) => texts.map(() => new Array(call).fill(1))),
    })
    expect(embedder.dimensions).toBeNull()
    await embedder.embedQuery('first')
    expect(embedder.dimensions).toBe(1)
    const error = await failure(embedder.embedQuery('second'))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch('2 dimensions instead of 1')
    expect(embedder.dimensions).toBe(1)
  })

  test('are not learned from an answer that is refused', async () => {
    const answers = [
      [
        [1, 2],
        [0, 0],
      ],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ]
    const embedder = createEmbedder({ embeddingFunction: counting((_, call) => answers[call - 1]) })
    await failure(embedder.embedDocuments(['a', 'b']))
    await embedder.embedDocuments(['a', 'b'])
    expect(embedder.dimensions).toBe(3)
  })

  test('that were declared are held to', async () => {
    const embedder = createEmbedder({ embeddingFunction: counting(lengths), embeddingDimensions: 4 })
    expect(embedder.dimensions).toBe(4)
    expect((await failure(embedder.embedQuery('a'))).message).toMatch('3 dimensions instead of 4')
  })

  test('may be told by the function, where they can be some', () => {
    const of = (dimensions: unknown) =>
      createEmbedder({ embeddingFunction: Object.assign(counting(lengths), { dimensions }) }).dimensions
    expect([3, 0, -1, 1.5, Number.NaN, 16_385, '3', undefined].map(of)).toEqual([3, ...new Array(7).fill(null)])
  })
})

describe('a function handed in', () => {
  const space = (extra: object, embeddingModel?: string) => {
    const embeddingFunction: EmbeddingFunction = Object.assign(counting(lengths), extra)
    const { provider, model } = createEmbedder({ embeddingFunction, embeddingModel })
    return `${provider}/${model}`
  }

  test('is named by the caller, by itself, or not', () => {
    expect(space({})).toBe('custom/unnamed')
    expect(space({ model: 'm' })).toBe('custom/m')
    expect(space({ modelName: 'n', caller: {} })).toBe('langchain/n')
    expect(space({ model: 3, modelName: 'n' })).toBe('custom/n')
    expect(space({ model: 'm' }, 'mine')).toBe('custom/mine')
  })

  test.each([null, {}, { embedQuery: () => [] }, 7])('that is none is refused: %j', (given) => {
    const settings = { embeddingFunction: given as unknown as EmbeddingFunction }
    expect(() => createEmbedder(settings)).toThrow(ConfigurationError)
    expect(() => createEmbedder(settings)).toThrow(/embeddingFunction/)
  })

  test('keeps its `this`', async () => {
    class Counter {
      readonly value = 5
      embedDocuments = undefined as unknown as EmbeddingFunction['embedDocuments']
      async embedQuery() {
        return [this.value]
      }
    }
    const given = new Counter()
    given.embedDocuments = async function (this: Counter, texts) {
      return texts.map(() => [this.value])
    }
    const embedder = createEmbedder({ embeddingFunction: given })
    expect(await embedder.embedQuery('a')).toEqual(new Float32Array([5]))
    expect(await embedder.embedDocuments(['a'])).toEqual([new Float32Array([5])])
  })
})

describe('a text', () => {
  test.each(['', ' \n\t', '\u00a0', undefined, 7])('that is blank is refused: %j', async (text) => {
    const given = counting(lengths)
    const embedder = createEmbedder({ embeddingFunction: given })
    const one = await failure(embedder.embedQuery(text as string))
    expect(one).toBeInstanceOf(ValidationError)
    expect(one.message).toBe('text: must not be blank')
    const many = await failure(embedder.embedDocuments(['a', text as string]))
    expect(many.message).toBe('texts[1]: must not be blank')
    expect(given.calls).toEqual([])
  })

  test('that was cut within a character is sent whole', async () => {
    const given = counting(lengths)
    const embedder = createEmbedder({ embeddingFunction: given })
    await embedder.embedDocuments(['a😀'.slice(0, 2)])
    await embedder.embedQuery('b😀'.slice(0, 2))
    expect(given.calls).toEqual([['a\ufffd'], ['b\ufffd']])
  })
})
