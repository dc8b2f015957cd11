import fc from 'fast-check'
import type { JsonObject, JsonValue } from '../../src/model/records.js'

/** Keys that JavaScript treats as special, that SQL quotes, or that paths are made of. */
const KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'toJSON',
  'length',
  '',
  ' ',
  '.',
  'a.b',
]
const MORE = ['$', '$.a', '[0]', '"', "'", '\\', '0', '1', '-1', 'NaN', '\u{1f600}', '\u2028', 'x'.repeat(300)]

const numbers = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n)),
)
const texts = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((s) => !s.includes('\0') && s.isWellFormed())
const keys = fc.oneof(fc.constantFrom(...KEYS, ...MORE), texts)

/** JSON as every backend takes it: finite numbers, safe integers, well-formed text without NUL, any key. */
export const jsonValues: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    numbers,
    texts,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value

export const jsonObjects: fc.Arbitrary<JsonObject> = fc.dictionary(keys, jsonValues, {
  maxKeys: 8,
  noNullPrototype: true,
})

/** As text with sorted keys: it tells an own key `__proto__` from a prototype, and takes -0 for 0. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`
}
