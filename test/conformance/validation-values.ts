import type { Limits } from '../../src/options.js'

/** Small bounds, so that what is over them is cheap to make. */
export const LIMITS: Limits = { content: 300, json: 2000, jsonDepth: 8, label: 40, summary: 60, tags: 3, batch: 5 }

/** A bad value, where in the field it is bad, and a name for it. */
export type Bad = readonly [name: string, value: unknown, path?: string]

const TEXT: readonly Bad[] = [
  ['a NUL', 'a\0b'],
  ['a high surrogate alone', 'a\ud800'],
  ['a low surrogate alone', '\udc00a'],
  ['surrogates the wrong way round', '\udc00\ud800'],
  ['a number', 5],
  ['an object', { a: 1 }],
  ['a String object', new String('a')],
]
/** Not for fields that may be null. */
const NULL: readonly Bad[] = [['null', null]]

export const BAD_IDS: readonly Bad[] = [
  ...TEXT,
  ['an empty text', ''],
  ['256 bytes', 'x'.repeat(256)],
  ['256 bytes in fewer characters', `${'\u20ac'.repeat(85)}a`],
]
export const BAD_REQUIRED_IDS: readonly Bad[] = [...BAD_IDS, ...NULL]
export const BAD_LABELS: readonly Bad[] = [
  ...TEXT,
  ['too long', 'x'.repeat(41)],
  ['too long in bytes', '\u20ac'.repeat(14)],
]
export const BAD_SUMMARIES: readonly Bad[] = [...TEXT, ['too long', 'x'.repeat(61)]]
export const BAD_CONTENT: readonly Bad[] = [
  ...TEXT,
  ...NULL,
  ['an empty text', ''],
  ['spaces', ' \t\r\n '],
  ['too long', 'x'.repeat(301)],
  ['too long in bytes', '\u20ac'.repeat(101)],
]
export const BAD_DATES: readonly Bad[] = [
  ['an invalid date', new Date(Number.NaN)],
  ['the year 10000', new Date(Date.UTC(10_000, 0, 1))],
  ['the year 0', new Date(-62_167_219_200_001)],
  ['before the year 1', new Date(Date.parse('0001-01-01T00:00:00Z') - 1)],
  ['a text', '2020-01-01T00:00:00Z'],
  ['milliseconds', 1_600_000_000_000],
]
export const BAD_FRACTIONS: readonly Bad[] = [
  ['above 1', 1.000_001],
  ['below 0', -0.000_001],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['a text', '0.5'],
  ...NULL,
]
export const BAD_COUNTS: readonly Bad[] = [
  ['negative', -1],
  ['a fraction', 0.5],
  ['an unsafe integer', 2 ** 53],
  ['NaN', Number.NaN],
  ['a bigint', 1n],
]
export const BAD_TAGS: readonly Bad[] = [
  ['a text', 'tag'],
  ['an empty tag', ['a', ''], '[1]'],
  ['a tag too long', ['x'.repeat(256)], '[0]'],
  ['a tag with a NUL', ['a', 'b', 'c\0'], '[2]'],
  ['a number', [1], '[0]'],
  ['too many', ['a', 'b', 'c', 'd']],
  ...NULL,
]
export const BAD_ID_LISTS: readonly Bad[] = [
  ['a text', 'id'],
  ['an empty id', ['a', ''], '[1]'],
  ['an id too long', ['x'.repeat(256)], '[0]'],
]

function cycle(): object {
  const root: Record<string, unknown> = { a: {} }
  ;(root.a as Record<string, unknown>).back = root
  return root
}
const deep = (levels: number): object => {
  let value: object = {}
  for (let level = 1; level < levels; level++) value = { a: value }
  return value
}
class Instance {
  a = 1
}

/** What JSON values may not hold, wherever they stand. */
const JSON_ITEMS: readonly Bad[] = [
  ['NaN', { a: Number.NaN }, '.a'],
  ['Infinity', { a: { b: Number.NEGATIVE_INFINITY } }, '.a.b'],
  ['an unsafe integer', { a: [0, 2 ** 53] }, '.a[1]'],
  ['a huge integer', { a: 1e300 }, '.a'],
  ['undefined in a list', { a: [1, undefined] }, '.a[1]'],
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
  ['a hole in a list', { a: [1, , 2] }, '.a[1]'],
  ['a function', { a: () => 1 }, '.a'],
  ['a symbol', { a: Symbol('a') }, '.a'],
  ['a bigint', { a: { b: [{ c: 1n }] } }, '.a.b[0].c'],
  ['a date', { a: new Date(0) }, '.a'],
  ['a map', { a: new Map() }, '.a'],
  ['an instance', { a: new Instance() }, '.a'],
  ['bytes', { a: new Uint8Array(2) }, '.a'],
  ['a NUL in a value', { a: 'x\0' }, '.a'],
  ['a lone surrogate in a value', { 'a b': '\ud800' }, '["a b"]'],
  ['a NUL in a key', { 'a\0': 1 }, '["a\\u0000"]'],
  ['a lone surrogate in a key', { a: { '\udfff': 1 } }, '.a["\\udfff"]'],
  ['a cycle', cycle(), '.a.back'],
  ['too deep', deep(9)],
  ['too large', { a: 'x'.repeat(2000) }],
  ['too large once escaped', { a: '\n'.repeat(1000) }],
  ['too many bytes in fewer characters', { a: '\u20ac'.repeat(700) }],
]
export const BAD_JSON: readonly Bad[] = [
  ...JSON_ITEMS,
  ['a text', 'metadata'],
  ['a list', [1]],
  ['an instance at the root', new Instance()],
  ['a map at the root', new Map([['a', 1]])],
  ...NULL,
]
export const BAD_PARTS: readonly Bad[] = [
  ['a text', 'parts'],
  ['an object', { a: 1 }],
  ['undefined within', [{ a: [undefined] }], '[0].a[0]'],
  ['a function within', [1, { f: () => 1 }], '[1].f'],
  ['NaN', [1, 2, Number.NaN], '[2]'],
  ['a NUL', ['x\0'], '[0]'],
  ['too large', ['x'.repeat(2001)]],
]
export const enumOf = (like: string): readonly Bad[] => [
  ['another word', 'other'],
  ['another case', like.toUpperCase()],
  ['spaces around it', ` ${like}`],
  ['an empty text', ''],
  ['a number', 0],
  ['a list', [like]],
]
export const NOT_OBJECTS: readonly Bad[] = [
  ['null', null],
  ['undefined', undefined],
  ['a text', 'x'],
  ['a number', 1],
]
