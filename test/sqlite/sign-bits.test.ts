import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SignBits } from '../../src/backends/sqlite/sign-bits.js'

const distance = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, byte, i) => sum + (byte ^ (b[i] as number)).toString(2).replaceAll('0', '').length, 0)

test('the nearest by signs are those that differ in the fewest bits, with all that are as near as the last', () => {
  const rows = fc.integer({ min: 1, max: 9 }).chain((bytes) => {
    const bits = fc.uint8Array({ minLength: bytes, maxLength: bytes })
    return fc.tuple(bits, fc.array(bits, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 40 }))
  })
  fc.assert(
    fc.property(rows, ([question, all, n]) => {
      const kept = new SignBits(question.length)
      all.forEach((each, i) => {
        kept.add(i + 10, Buffer.from(each))
      })
      const distances = all.map((each) => distance(each, question))
      const bound = [...distances].sort((a, b) => a - b)[Math.min(n, all.length) - 1] as number
      const wanted = distances.flatMap((d, i) => (d <= bound ? [i + 10] : []))
      expect(kept.nearest(Buffer.from(question), n)).toEqual(wanted)
      expect(kept.last).toBe(all.length + 9)
    }),
  )
})

test('bits of another width are left out', () => {
  const kept = new SignBits(2)
  kept.add(1, Buffer.from([1, 2, 3]))
  expect(kept.count).toBe(0)
  expect(kept.nearest(Buffer.from([0, 0]), 5)).toEqual([])
})
