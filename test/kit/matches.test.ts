import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Filter, MetadataCondition } from '../../src/contract/filter.js'
import type { MemoryListOptions } from '../../src/contract/repositories.js'
import type { NewMemory } from '../../src/model/inputs.js'
import { type JsonObject, type JsonValue, MEMORY_TYPES, type Message } from '../../src/model/records.js'
import { compareText, isAlive, matches } from '../../src/repository/matches.js'
import { CONDITIONS, METADATA } from '../conformance/filters.js'
import { byBytes } from '../conformance/fixtures.js'

const at = new Date(20)
const message: Message = {
  tenantId: 't',
  id: 'm',
  conversationId: 'c',
  position: 1,
  parentId: null,
  role: 'user',
  type: 'text',
  content: 'x',
  parts: null,
  name: null,
  toolCallId: null,
  status: 'complete',
  metadata: {},
  createdAt: at,
  updatedAt: at,
  version: 1,
}
const document = { tenantId: 't', namespace: 'n', id: 'd', content: 'x', metadata: {}, expiresAt: null, version: 1 }

describe('a filter in JavaScript', () => {
  it('holds for the metadata that it holds for in SQL', () => {
    for (const [name, metadata, holds] of CONDITIONS) {
      const found = Object.keys(METADATA).filter((id) =>
        matches({ metadata }, { ...message, metadata: METADATA[id] as JsonObject }),
      )
      expect(found.sort(), name).toEqual([...holds].sort())
    }
  })

  it('asks a message for the user of its conversation, for its roles and its times', () => {
    const cases: readonly (readonly [filter: Filter, holds: boolean])[] = [
      [{}, true],
      [{ userId: 'ada' }, true],
      [{ userId: 'bob' }, false],
      [{ conversationId: 'c' }, true],
      [{ conversationId: 'C' }, false],
      [{ roles: ['system', 'user'] }, true],
      [{ roles: ['assistant'] }, false],
      [{ from: at }, true],
      [{ to: at }, false],
      [{ from: new Date(21) }, false],
      [{ to: new Date(21) }, true],
      [{ roles: undefined, userId: undefined, metadata: undefined }, true],
    ]
    for (const [filter, holds] of cases)
      expect(matches(filter, message, { userId: 'ada' }), JSON.stringify(filter)).toBe(holds)
  })

  it('holds for nothing of a kind that does not know it', () => {
    const documented = { ...document, createdAt: at, updatedAt: at }
    expect(matches({ namespace: 'n' }, documented)).toBe(true)
    expect(matches({ namespace: 'n' }, message)).toBe(false)
    const unknown: readonly Filter[] = [
      { userId: 'ada' },
      { roles: ['user'] },
      { types: ['fact'] },
      { tags: ['x'] },
      { category: 'k' },
      { minImportance: 0 },
      { minConfidence: 0 },
    ]
    expect(unknown.filter((filter) => matches(filter, documented))).toEqual([])
  })

  it('leaves expiry to the time: a record is gone at the very instant', () => {
    expect([19, 20, 21].map((now) => isAlive({ expiresAt: at }, now))).toEqual([true, false, false])
    expect([isAlive({ expiresAt: at }, 99, true), isAlive({ expiresAt: null }, 99)]).toEqual([true, true])
  })

  it('orders texts as their UTF-8 is ordered', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text.isWellFormed())
    const property = fc.property(texts, texts, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(byBytes(a, b))
    })
    fc.assert(property, { numRuns: 2000 })
    expect(Math.sign(compareText('\uff5e', '\u{1f600}'))).toBe(-1)
  })
})

const texts = fc.constantFrom('', 'a', 'A', 'b', 'ab', '1', 'null', '\uff5e', '\u{1f600}', '\ue000')
const numbers = fc.constantFrom(-1, 0, 0.5, 1, 1.5, 2, Number.MAX_SAFE_INTEGER, Number.MIN_VALUE)
const scalars = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null))
const keys = fc.constantFrom('a', 'b', 'a.b', '__proto__', 'constructor', '')
const operand = fc.oneof(texts, numbers, fc.constant(1e300))
const conditions: fc.Arbitrary<MetadataCondition> = fc.oneof(
  scalars,
  fc.record({ in: fc.array(scalars, { maxLength: 4 }) }),
  fc.record({ gt: operand, gte: operand, lt: operand, lte: operand }, { requiredKeys: ['gte'] }),
  fc.record({ in: fc.array(scalars, { maxLength: 4 }), gt: operand, lte: operand }, { requiredKeys: ['gt'] }),
)
const values = fc.oneof(
  { weight: 6, arbitrary: scalars },
  fc.constant<JsonValue>([1]),
  fc.constant<JsonValue>({ a: 1 }),
)
const dictionary = <T>(of: fc.Arbitrary<T>, maxKeys: number) =>
  fc.dictionary(keys, of, { maxKeys, noNullPrototype: true })
const some = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 1, maxLength: 3 })
const fractions = fc.constantFrom(0, 0.25, 0.5, 1)
const instants = fc.constantFrom(10, 20, 30).map((ms) => new Date(ms))
const names = fc.constantFrom('a', 'A', 'b', 'a%')
const types = fc.constantFrom(...MEMORY_TYPES)

const memories: fc.Arbitrary<NewMemory> = fc.record({
  userId: names,
  content: fc.constant('x'),
  type: types,
  tags: fc.array(names, { maxLength: 3 }),
  category: fc.option(names),
  importance: fractions,
  confidence: fractions,
  createdAt: instants,
  metadata: dictionary(values, 4),
})
const every = fc.record({
  userId: names,
  types: some(types),
  tags: some(names),
  tagsMatch: fc.constantFrom('any' as const, 'all' as const),
  category: names,
  from: instants,
  to: instants,
  minImportance: fractions,
  minConfidence: fractions,
  metadata: dictionary(conditions, 2),
})
const FILTERS = ['userId', 'types', 'category', 'from', 'to', 'minImportance', 'minConfidence', 'metadata'] as const
/** One or two at a time: more would hold for next to nothing. */
const filters: fc.Arbitrary<MemoryListOptions> = fc
  .tuple(every, fc.shuffledSubarray([...FILTERS, 'tags'] as const, { minLength: 1, maxLength: 2 }))
  .map(([all, used]) => ({
    ...Object.fromEntries(used.map((name) => [name, all[name]])),
    ...(used.includes('tags') && { tagsMatch: all.tagsMatch }),
  }))

describe('any filter over any memories', () => {
  it('finds what SQLite finds', async () => {
    const memory = createBackend('sqlite', { databasePath: ':memory:' })
    let tenant = 0
    let narrowed = 0
    const property = fc.asyncProperty(some(memories), some(filters), async (given, asked) => {
      const own = memory.forTenant(`t${tenant++}`)
      const stored = await own.memories.addMany(given)
      for (const filter of asked) {
        const { items } = await own.memories.list(filter)
        const found = stored.filter((entry) => matches(filter, entry)).map((entry) => entry.id)
        expect(items.map((entry) => entry.id).sort()).toEqual(found.sort())
        if (found.length > 0 && found.length < stored.length) narrowed++
      }
    })
    await fc.assert(property, { numRuns: 400 })
    expect(narrowed).toBeGreaterThan(20)
    await memory.close()
  })
})
