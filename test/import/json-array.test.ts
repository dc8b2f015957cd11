import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ArraySplitter } from '../../src/import/json-array.js'

function split(text: string, size: number, max = 1 << 30) {
  const splitter = new ArraySplitter(max)
  const bytes = Buffer.from(text)
  const found = []
  for (let at = 0; at < bytes.length; at += size) found.push(...splitter.push(bytes.subarray(at, at + size)))
  splitter.end()
  return found
}

const spaces = fc.constantFrom('', ' ', '\n', '\t ', '\r\n')

describe('splitting a JSON array', () => {
  test('finds what JSON.parse finds, whatever the pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 6 }),
        fc.integer({ min: 1, max: 50 }),
        spaces,
        fc.boolean(),
        (values, size, space, pretty) => {
          const body = values.map((v) => `${space}${JSON.stringify(v, null, pretty ? 2 : 0)}${space}`).join(',')
          const text = `${space}[${body}${space}]${space}`
          const found = split(text, size)
          expect(found.map((e) => JSON.parse(String(e.bytes)))).toEqual(JSON.parse(text))
          expect(found.map((e) => e.index)).toEqual(values.map((_, i) => i))
          for (const { offset, bytes } of found)
            expect(Buffer.from(text).subarray(offset, offset + (bytes?.length ?? 0))).toEqual(bytes)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('passes over an element that is larger than the bound, and goes on', () => {
    const found = split(`[{"a":1},{"b":"${'x'.repeat(1000)}"},{"c":2}]`, 7, 100)
    expect(found.map((e) => e.bytes?.toString() ?? null)).toEqual(['{"a":1}', null, '{"c":2}'])
  })

  test('says where a file that is cut ends', () => {
    const text = '[{"a":1}, {"b":"x\\""}]'
    for (let end = 1; end < text.length; end++)
      expect(() => split(text.slice(0, end), 3), text.slice(0, end)).toThrow(/is cut: it ends at byte/)
    expect(() => split(text.slice(0, 14), 3)).toThrow('inside element 1, which begins at byte 10')
  })

  test('refuses what is no array, and what stands between elements', () => {
    expect(() => split('{"a":1}', 3)).toThrow('does not begin with a JSON array')
    expect(() => split('', 3)).toThrow('holds no JSON array')
    expect(() => split('[{"a":1} {"b":2}]', 3)).toThrow('broken at byte 9, after element 0')
    expect(() => split('[{"a":1}] x', 3)).toThrow('broken at byte 10')
  })

  test('takes a byte order mark for what it is', () => {
    expect(split('\ufeff[{"a":1}]', 64).map((e) => [e.offset, e.bytes?.toString()])).toEqual([[4, '{"a":1}']])
  })
})
