import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkVector,
  decodeVector,
  encodeVector,
  MAX_DIMENSIONS,
  normalize,
  signBits,
  spaceId,
} from '../../src/embeddings/vector.js'
import { StorageError, ValidationError } from '../../src/errors.js'

const finite = fc.float({ noDefaultInfinity: true, noNaN: true })
const vectors = fc
  .array(finite, { minLength: 1, maxLength: 40 })
  .filter((values) => values.some((value) => value !== 0))

// biome-ignore format: one case a line
const WRONG: readonly (readonly [string, unknown, string])[] = [
  ['nothing', undefined, 'v: must be an array of numbers'],
  ['null', null, 'v: must be an array of numbers'],
  ['a string', '12', 'v: must be an array of numbers'],
  ['an object', {}, 'v: must be an array of numbers'],
  ['a function', (_: number) => 1, 'v: must be an array of numbers'],
  ['the bytes of a view', new DataView(new ArrayBuffer(8)), 'v: must be an array of numbers'],
  ['an empty array', [], 'v: must have 1 to 16384 numbers'],
  ['one too many', new Float32Array(MAX_DIMENSIONS + 1).fill(1), 'v: must have 1 to 16384 numbers'],
  ['a length that is negative', { length: -1 }, 'v: must have 1 to 16384 numbers'],
  ['a length that is broken', { length: 1.5, 0: 1 }, 'v: must have 1 to 16384 numbers'],
  ['a length without end', { length: Number.POSITIVE_INFINITY }, 'v: must have 1 to 16384 numbers'],
  ['NaN', [1, Number.NaN], 'v[1]: must be a finite number of 32 bits'],
  ['infinity', [Number.NEGATIVE_INFINITY], 'v[0]: must be a finite number of 32 bits'],
  ['what 32 bits cannot hold', [1, 3.5e38], 'v[1]: must be a finite number of 32 bits'],
  ['a hole', Object.assign(new Array(3), { 0: 1, 2: 1 }), 'v[1]: must be a finite number of 32 bits'],
  ['a number as text', [1, '2'], 'v[1]: must be a finite number of 32 bits'],
  ['big integers', [1n], 'v[0]: must be a finite number of 32 bits'],
  ['zeros', [0, -0, 0], 'v: must not be all zeros'],
  ['what 32 bits round to zeros', [1e-46, -1e-300], 'v: must not be all zeros'],
]

describe('a vector that a caller brings', () => {
  test.each(WRONG)('as %s is refused', (_, value, message) => {
    expect(() => checkVector(value, 'v')).toThrow(ValidationError)
    expect(() => checkVector(value, 'v')).toThrow(new RegExp(`^${message.replaceAll(/[[\]]/g, '\\$&')}$`))
  })

  test('has the dimensions that are asked for', () => {
    expect(checkVector([1, 2], 'v', 2)).toEqual(new Float32Array([1, 2]))
    expect(checkVector([1, 2], 'v', null)).toEqual(new Float32Array([1, 2]))
    expect(() => checkVector([1, 2], 'memories[3].vector', 3)).toThrow(/^memories\[3\]\.vector: must have 3 numbers/)
  })

  test('may be as long as allowed, and of the largest and smallest numbers', () => {
    expect(checkVector(new Array(MAX_DIMENSIONS).fill(1), 'v').length).toBe(MAX_DIMENSIONS)
    expect([...checkVector([3.4028234663852886e38, -1.401298464324817e-45], 'v')]).toEqual([
      3.4028234663852886e38, -1.401298464324817e-45,
    ])
  })

  test('is copied, rounded to 32 bits and otherwise kept', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e38, max: 1e38, noNaN: true }), { minLength: 1 }), (values) => {
        const rounded = values.map(Math.fround)
        fc.pre(rounded.some((value) => value !== 0))
        for (const given of [values, Float64Array.from(values), { ...values, length: values.length }]) {
          const checked = checkVector(given, 'v', values.length)
          expect([...checked]).toEqual(rounded)
        }
      }),
    )
    const own = new Float32Array([1, 2])
    expect(checkVector(own, 'v').buffer).not.toBe(own.buffer)
  })

  test('of whatever kind is a vector or refused by its field, without its value', () => {
    fc.assert(
      fc.property(fc.anything({ withTypedArray: true, withSparseArray: true, withBigInt: true }), (value) => {
        try {
          const checked = checkVector(value, 'v')
          expect(checked.every(Number.isFinite) && checked.some((each) => each !== 0)).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError)
          expect((error as Error).message).toMatch(/^v(\[\d+\])?: must /)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a vector at rest', () => {
  test('is read as it was written, bit for bit, wherever its bytes begin', () => {
    fc.assert(
      fc.property(vectors, fc.nat(7), (values, offset) => {
        const vector = Float32Array.from(values)
        const bytes = encodeVector(vector)
        const moved = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset)
        expect([...decodeVector(moved)]).toEqual([...vector])
        expect(encodeVector(decodeVector(moved)).equals(bytes)).toBe(true)
      }),
    )
  })

  test('is little-endian', () => {
    expect(encodeVector(new Float32Array([1, -2, 0.5])).toString('hex')).toBe('0000803f000000c00000003f')
  })

  test('of a part of a larger array is that part', () => {
    const part = new Float32Array([9, 1, 2, 9]).subarray(1, 3)
    expect([...decodeVector(encodeVector(part))]).toEqual([1, 2])
  })

  test('shares no memory with what it is made of', () => {
    const vector = new Float32Array([1, 2])
    const bytes = encodeVector(vector)
    const read = decodeVector(bytes)
    vector.fill(9)
    bytes.fill(0xff)
    expect([...read]).toEqual([1, 2])
    expect([...decodeVector(encodeVector(new Float32Array([1, 2])))]).toEqual([1, 2])
  })

  test.each([0, 1, 3, 5, 4095])('of %i bytes cannot be read', (length) => {
    expect(() => decodeVector(Buffer.alloc(length))).toThrow(StorageError)
  })
})

describe('a normalized vector', () => {
  test('has length 1 and the same direction, and is a copy', () => {
    fc.assert(
      fc.property(vectors, (values) => {
        const vector = Float32Array.from(values)
        const unit = normalize(vector)
        expect(Math.hypot(...unit)).toBeCloseTo(1, 5)
        expect([...vector]).toEqual(values)
        for (const [i, value] of unit.entries()) expect(value * (vector[i] as number)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  test('may have been of the largest or the smallest numbers', () => {
    expect([...normalize(new Float32Array([3.4e38, 3.4e38]))]).toEqual([
      Math.fround(Math.SQRT1_2),
      Math.fround(Math.SQRT1_2),
    ])
    expect([...normalize(new Float32Array([0, 1e-45]))]).toEqual([0, 1])
  })
})

describe('signs', () => {
  test('are one bit a dimension, zero among the negative ones', () => {
    expect(signBits(new Float32Array([1, -1, 0, 2, -0, 1e-45, -3, 4, 5, 0, 0, 0, 0, 0, 0, 0]))).toEqual(
      Buffer.from([0b10101001, 0b1]),
    )
    expect(signBits(new Float32Array(7).fill(1))).toBeNull()
  })
})

describe('the id of a space', () => {
  const space = { provider: 'offline', model: 'energetic-ai-en', dimensions: 512, metric: 'cosine' } as const

  test('can be read', () => {
    expect(spaceId(space)).toBe('offline/energetic-ai-en/512/cosine')
  })

  test('has at most 255 bytes, and is another one for another space', () => {
    const models = ['m'.repeat(300), `${'m'.repeat(299)}n`, '😀'.repeat(200), `${'😀'.repeat(199)}x`]
    const ids = models.map((model) => spaceId({ ...space, model }))
    for (const id of ids) expect(Buffer.byteLength(id)).toBeLessThanOrEqual(255)
    const others = [{}, { dimensions: 513 }, { metric: 'dot' as const }, { provider: 'custom' }, { model: 'a/512' }]
    expect(new Set([...ids, ...others.map((other) => spaceId({ ...space, ...other }))]).size).toBe(9)
  })

  test('is the same one every time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (model) => {
        const id = spaceId({ ...space, model })
        expect(spaceId({ ...space, model })).toBe(id)
        expect(Buffer.byteLength(id)).toBeLessThanOrEqual(255)
        expect(id.isWellFormed()).toBe(true)
      }),
    )
  })
})
