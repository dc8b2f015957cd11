import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { failure, isTyped, refused } from './expecting.js'
import { ADA } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeSearchQueries(harness: Harness): void {
  suite(harness, 'text search: any text is a query', ['textSearch', 'memories'], (ground) => {
    itTakesAnyText(ground)
    itRefusesQueries(ground)
  })
}

async function seeded(ground: Ground): Promise<Memory> {
  const memory = await ground.open()
  await memory.memories.addMany([
    { id: 'lisbon', userId: ADA, content: 'lives in Lisbon near the river' },
    { id: 'tea', userId: ADA, content: 'prefers tea' },
    { id: 'operators', userId: ADA, content: 'and or not near' },
  ])
  await memory.forTenant('other').memories.add({ id: 'secret', userId: ADA, content: 'Lisbon secret' })
  return memory
}

const ids = async (memory: Memory, text: string): Promise<string[]> =>
  (await memory.search({ text })).map((hit) => hit.record.id)

/** Each holds the word Lisbon among what a query language would take for something else. */
const WRAPPED = [
  '"lisbon"',
  '"lisbon',
  "lisbon'",
  "'lisbon' OR 1=1 --",
  'lisbon*',
  '*lisbon*',
  '^lisbon',
  '(lisbon',
  'lisbon)',
  '((lisbon))',
  'lisbon AND',
  'AND lisbon OR',
  'NOT lisbon',
  'lisbon NOT',
  '-lisbon',
  '+lisbon',
  'NEAR(lisbon, 5)',
  'NEAR lisbon',
  'NEAR/3 lisbon',
  'content:lisbon',
  '{content tenant}: lisbon',
  'lisbon & ! | <-> :*',
  '!lisbon',
  "lisbon:*'",
  '\\lisbon\\',
  'lisbon \\" OR \\"',
  '`lisbon`',
  '$lisbon$',
  'lisbon; DROP TABLE bruno_memories;',
  '%lisbon%',
  '[lisbon]',
  '{lisbon}',
  '<b>lisbon</b>',
  'lisbon?',
  'lisbon\n\t\r\u2028',
  '\u{1f600} lisbon \u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\u202elisbon',
  '\ufefflisbon',
  'lisbon lisbon lisbon lisbon',
]

/** No word in them, or nothing but stop words, or far too many. */
const WORDLESS = [
  '',
  ' ',
  '\n',
  '"',
  '""',
  "'",
  '*',
  '(',
  ')',
  '()',
  '^',
  ':',
  '-',
  '--',
  'AND',
  'OR',
  'NOT',
  'NEAR',
  'NEAR()',
  'the of and to',
  'the',
  '\u{1f600}',
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\u0301',
  '\u200b',
  '\ufeff',
  '!@#$%^&*()_+{}|:"<>?',
  '\u3002',
  'x'.repeat(100_000),
  '"'.repeat(100_000),
  '('.repeat(100_000),
]

function itTakesAnyText(ground: Ground): void {
  it('operators, quotes and brackets are text, and the words among them are found', async () => {
    const memory = await seeded(ground)
    for (const text of WRAPPED) {
      const found = await ids(memory, text)
      expect(found, JSON.stringify(text)).toContain('lisbon')
      expect(found, JSON.stringify(text)).not.toContain('secret')
      expect(found, JSON.stringify(text)).not.toContain('tea')
    }
  })

  it('a text without words is answered or refused by a typed error', async () => {
    const memory = await seeded(ground)
    for (const text of WORDLESS) {
      const error = await failure(async () => expect(await ids(memory, text)).not.toContain('secret'))
      if (error !== null && !isTyped(error)) throw error
    }
    expect(await ids(memory, 'lisbon')).toEqual(['lisbon'])
  })

  it('a hundred thousand words are answered or refused, within seconds', { timeout: 20_000 }, async () => {
    const memory = await seeded(ground)
    const many = Array.from({ length: 100_000 }, (_, i) => `w${i}`).join(' ')
    for (const text of [many, `lisbon ${many}`, 'lisbon '.repeat(100_000)]) {
      const error = await failure(async () => expect(await ids(memory, text)).not.toContain('secret'))
      if (error !== null && !isTyped(error)) throw error
    }
    expect(await ids(memory, 'lisbon '.repeat(100_000))).toEqual(['lisbon'])
  })

  it('arbitrary texts never reach a query language nor another tenant', { timeout: 30_000 }, async () => {
    const memory = await seeded(ground)
    const bits = fc.constantFrom(
      '"',
      "'",
      '(',
      ')',
      '*',
      '^',
      ':',
      '-',
      ' AND ',
      ' OR ',
      ' NOT ',
      ' NEAR/2 ',
      'lisbon',
      ' ',
      '\\',
      '{',
      '}',
    )
    const texts = fc.oneof(
      fc.array(bits, { maxLength: 20 }).map((parts) => parts.join('')),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.string({ unit: 'binary', maxLength: 40 }),
    )
    const property = fc.asyncProperty(texts, async (text) => {
      const error = await failure(async () => expect(await ids(memory, text)).not.toContain('secret'))
      if (error !== null && !isTyped(error)) throw error
      // An apostrophe or a letter beside it may make it part of another word.
      if (error === null && /(?:^|[\s"()*^{}])lisbon(?:$|[\s"()*^{}])/.test(text))
        expect(await ids(memory, text)).toContain('lisbon')
    })
    await fc.assert(property, { numRuns: 150 })
  })
}

function itRefusesQueries(ground: Ground): void {
  it('what is no text, no mode or no kind is refused by its field', async () => {
    const memory = await seeded(ground)
    const bad: readonly (readonly [query: object, field: string])[] = [
      [{}, 'text'],
      [{ text: 5 }, 'text'],
      [{ text: null }, 'text'],
      [{ text: 'x', mode: 'fulltext' }, 'mode'],
      [{ text: 'x', kinds: ['memory', 'user'] }, 'kinds[1]'],
      [{ text: 'x', kinds: 'memory' }, 'kinds'],
      [{ text: 'x', limit: 0 }, 'limit'],
      [{ text: 'x', limit: 1001 }, 'limit'],
      [{ text: 'x', limit: 1.5 }, 'limit'],
      [{ text: 'x', explain: 'yes' }, 'explain'],
      [{ text: 'x', kind: ['memory'] }, 'kind'],
      [{ text: 'x', userID: ADA }, 'userID'],
    ]
    for (const [query, field] of bad)
      await refused(memory.search(query as Parameters<Memory['search']>[0]), 'validation', field)
    const error = await refused(memory.search({ text: 'x', userid: ADA } as { text: string }), 'validation', 'userid')
    expect(error.problem).toContain('"userId"')
  })

  it('a mode that the backend lacks is unsupported, and says what to add', async () => {
    const memory = await seeded(ground)
    if (!ground.lacks('vectorSearch')) return expect(memory.capabilities.vectorSearch).toBe(true)
    for (const mode of ['vector', 'hybrid'] as const) {
      const error = await refused(memory.search({ text: 'x', mode }), 'unsupported')
      expect(error.capability).toBe('vectorSearch')
    }
  })
}
