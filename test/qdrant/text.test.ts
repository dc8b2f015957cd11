import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { vectorText } from '../../src/backends/qdrant/text.js'

const readBack = (text: string): Float32Array => Float32Array.from(JSON.parse(text) as number[])
/** A zero's sign is nothing that a distance knows of. */
const unsigned = (vector: Float32Array): number[] => Array.from(vector, (value) => (value === 0 ? 0 : value))

describe('a vector as text', () => {
  test('is read back as the same numbers of 32 bits, whatever they are', () => {
    const finite = fc.float({ noNaN: true, noDefaultInfinity: true })
    const small = fc.float({ noNaN: true, min: -2, max: 2 })
    fc.assert(
      fc.property(fc.array(fc.oneof(finite, small), { minLength: 1, maxLength: 50 }), (numbers) => {
        const vector = Float32Array.from(numbers)
        expect(unsigned(readBack(vectorText(vector)))).toEqual(unsigned(vector))
      }),
      { numRuns: 2000 },
    )
  })

  test('keeps the edges of what is written digit by digit', () => {
    const edges = [1, 0.1, 0.01, 0.001, 1e-5, 2, 1.9999999, 0.99999994, 0.09999999, 9.9999e-6, 1e-45, 3e38]
    const vector = Float32Array.from(edges.flatMap((value) => [value, -value, Math.fround(value) * (1 + 2 ** -23)]))
    expect(readBack(vectorText(vector))).toEqual(vector)
  })

  test('may have more numbers than any before', () => {
    const vector = Float32Array.from({ length: 16_384 }, (_, i) => Math.sin(i))
    expect(readBack(vectorText(vector))).toEqual(vector)
  })
})
