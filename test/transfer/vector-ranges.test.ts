import { describe, expect, it } from 'vitest'
import { markText, planRanges, readMark } from '../../src/backends/vector/transfer-ranges.js'
import { unitVector } from '../../src/embeddings/unit.js'
import { normalize } from '../../src/embeddings/vector.js'
import { refused } from '../conformance/expecting.js'
import '../support/seed.js'

const places = (...counts: number[]) => counts.map((count, i) => ({ name: `p${i}`, count }))
const sizes = (...counts: number[]) => planRanges('memory', places(...counts), 10).map(({ records }) => records)

describe('ranges', () => {
  it('are one for what is small, many for what is large, and none for nothing', () => {
    expect(sizes()).toEqual([])
    expect(sizes(0, 0)).toEqual([])
    expect(sizes(3, 3, 0, 4)).toEqual([10])
    expect(sizes(3, 3, 5)).toEqual([6, 5])
    expect(sizes(25)).toEqual([8, 8, 8])
    expect(sizes(9, 25, 1, 1)).toEqual([9, 8, 8, 10])
    expect(sizes(10, 10)).toEqual([10, 10])
  })

  it('begin where the one before ends, the first at the start and the last open to the end', () => {
    const ranges = planRanges('document', places(35, 1, 0, 50, 2), 10)
    expect(ranges[0]?.from).toBeNull()
    expect(ranges.at(-1)?.to).toBeNull()
    for (const [i, range] of ranges.entries()) if (i > 0) expect(range.from).toBe(ranges[i - 1]?.to)
    const ends = ranges.slice(0, -1).map(({ to }) => readMark(to, 'to') as readonly [string, string | null])
    const sorted = [...ends].sort((a, b) => (`${a[0]} ${a[1] ?? '~'}` < `${b[0]} ${b[1] ?? '~'}` ? -1 : 1))
    expect(ends).toEqual(sorted)
    for (const [, key] of ends) if (key !== null) expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-0000-0000-0{12}$/)
  })

  it('are read from their text, and what is none is refused', async () => {
    for (const mark of [
      ['p', null],
      ['a"b', 'k'],
    ] as const)
      expect(readMark(markText(mark), 'after')).toEqual(mark)
    expect(readMark(null, 'after')).toBeNull()
    for (const text of ['', '{}', '["p"]', '[1,null]', '["p",2]', '["p",null,3]'])
      await refused(() => readMark(text, 'after'), 'validation', 'after')
  })
})

describe('a vector at length 1', () => {
  const random = () => Float32Array.from({ length: 384 }, () => (Math.random() - 0.5) * 10 ** (Math.random() * 60 - 30))

  it('stays as it is, bit for bit', () => {
    for (let i = 0; i < 500; i++) {
      const unit = normalize(random())
      expect(unitVector(unit)).toBe(unit)
    }
    expect(unitVector(Float32Array.of(-0, 1))).toEqual(Float32Array.of(-0, 1))
  })

  it('is made of any other', () => {
    expect(unitVector(Float32Array.of(3, -4))).toEqual(Float32Array.of(0.6, -0.8))
    expect(unitVector(Float32Array.of(1.000001, 0))).toEqual(Float32Array.of(1, 0))
    expect(unitVector(Float32Array.of(1e-45, 0))).toEqual(Float32Array.of(1, 0))
  })
})
