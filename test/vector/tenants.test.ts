import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Filter, MetadataCondition, Scalar } from '../../src/contract/filter.js'
import type { Memory } from '../../src/contract/memory.js'
import type { NewMemory } from '../../src/model/inputs.js'
import type { MemoryEntry } from '../../src/model/records.js'
import { matches } from '../../src/repository/matches.js'
import { failure, isTyped } from '../conformance/expecting.js'
import { collect, idsOf, says } from '../conformance/fixtures.js'
import { adversarialNames } from '../support/names.js'
import { naughtyStrings } from '../support/naughty.js'
import '../support/seed.js'
import { KINDS, memoriesOf } from './memories.js'

const TENANTS = 200
const names = adversarialNames(TENANTS)
const legal = naughtyStrings().filter(
  (text) => text.isWellFormed() && !text.includes('\0') && text !== '' && Buffer.byteLength(text) <= 255,
)

/** Few, so that filters meet something. */
const pool = [...legal, ...names].filter((_, i) => i % 23 === 0)
const name = fc.constantFrom(...pool)
const NUMBERS = [0, -0, 1, -1, 1.5, 0.1 + 0.2, 3, 3.0001, -1e-7, 2 ** 53 - 1]
const stored = fc.oneof(name, fc.constantFrom<Scalar>(...NUMBERS, true, false, null, '1', 'true'))
/** What is asked for may be beyond what may be stored. */
const scalar: fc.Arbitrary<Scalar> = fc.oneof(stored, fc.constantFrom(1e21, -1e300, 5e-324))
/** Few keys, so that conditions meet something. */
const key = fc.constantFrom('a', 'a.b', 'page', '"', '', '__proto__', 'a\\', '$and', 'é\n', '[0]', 'id', 'tenant')
const metadata = fc.dictionary(key, fc.oneof(stored, fc.constantFrom([1, 'x'], { deep: 1 })), { maxKeys: 5 })
const operand = scalar.filter((value): value is string | number => ['string', 'number'].includes(typeof value))
const condition: fc.Arbitrary<MetadataCondition> = fc.oneof(
  scalar,
  fc.record({ in: fc.array(scalar, { maxLength: 4 }) }),
  fc.record({ gt: operand }),
  fc.record({ gte: operand, lte: operand }),
  fc.record({ lt: operand }),
)
const entry = fc.record({
  userId: fc.oneof(fc.constant('ada'), name),
  content: name.filter((text) => text.trim() !== ''),
  category: fc.option(name),
  tags: fc.uniqueArray(name, { maxLength: 3 }),
  importance: fc.constantFrom(0, 0.1, 0.5, 1 / 3, 0.9352756992289715, 1),
  confidence: fc.constantFrom(0, 0.5, 0.7, 1),
  createdAt: fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true }),
  metadata: metadata.map((of) => JSON.parse(JSON.stringify(of))),
}) as fc.Arbitrary<NewMemory>
const instant = fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
const tags = fc.array(name, { minLength: 1, maxLength: 3 })
const one: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({ userId: fc.oneof(fc.constant('ada'), name) }),
  fc.record({ category: name }),
  fc.record({ tags, tagsMatch: fc.constantFrom('any' as const, 'all' as const) }),
  fc.record({ minImportance: fc.constantFrom(0, 0.1, 1 / 3, 0.34, 0.9352756992289715, 1) }),
  fc.record({ minConfidence: fc.constantFrom(0.5, 0.70001) }),
  fc.record({ from: instant }),
  fc.record({ to: instant }),
  { weight: 5, arbitrary: fc.record({ metadata: fc.dictionary(key, condition, { minKeys: 1, maxKeys: 1 }) }) },
)
const filter: fc.Arbitrary<Filter> = fc.oneof(
  { weight: 3, arbitrary: one },
  fc.tuple(one, one).map(([a, b]) => ({ ...a, ...b })),
)

async function compare(memory: Memory, asked: Filter, model: readonly MemoryEntry[]): Promise<number> {
  const wanted = idsOf(model.filter((memoryEntry) => matches(asked, memoryEntry))).sort()
  expect(idsOf(await collect(memory.memories.each(asked))).sort()).toEqual(wanted)
  const hits = await memory.search({ text: 'x', kinds: ['memory'], limit: 1000, ...asked })
  expect(hits.map(({ record }) => record.id).sort()).toEqual(wanted)
  return wanted.length
}

describe.each(KINDS)('$name: tenants and filters', (kind) => {
  const { create, dispose } = memoriesOf(kind)
  afterEach(dispose)

  it(`${TENANTS} tenants with names that look alike have their own, and nothing else`, {
    timeout: 120_000,
  }, async () => {
    const memory = await create()
    for (const [i, tenant] of names.entries()) {
      const own = memory.forTenant(tenant)
      await own.memories.add({ id: 'same', userId: 'ada', content: `memory ${i}`, tags: [tenant] })
      if (i % 4 === 0) await own.documents.upsert({ namespace: 'n', id: 'same', content: `document ${i}` })
      if (i % 4 === 1) await own.messages.append('c', says(`message ${i}`, { id: 'same' }), { userId: 'ada' })
    }
    for (const [i, tenant] of names.entries()) {
      const own = memory.forTenant(tenant)
      const found = await own.search({ text: 'memory', limit: 1000, includeExpired: true })
      expect(new Set(found.map(({ record }) => record.tenantId))).toEqual(new Set([tenant]))
      expect(found).toHaveLength(i % 4 < 2 ? 2 : 1)
      const { items } = await own.memories.list({ userId: 'ada' })
      expect(items.map(({ content, tenantId }) => [content, tenantId])).toEqual([[`memory ${i}`, tenant]])
    }
    const victim = memory.forTenant(names[0] as string)
    for (const tenant of names.slice(1, 40)) await memory.forTenant(tenant).memories.delete('same')
    await memory.forTenant(names[4] as string).documents.deleteNamespace('n')
    await memory.forTenant(names[5] as string).messages.clear('c')
    expect(await victim.statistics()).toMatchObject({ memories: 1, documents: 1 })
    expect(await memory.forTenant(names[1] as string).statistics()).toMatchObject({ memories: 0, messages: 1 })
  })

  it('any filter finds what it means, in listings and by meaning, and nothing of another tenant', {
    timeout: 120_000,
  }, async () => {
    const memory = await create()
    const entries = fc.sample(entry, 150)
    const model = await memory.memories.addMany(entries)
    await memory.forTenant('other').memories.addMany(entries)
    let meeting = 0
    await fc.assert(
      fc.asyncProperty(filter, async (asked) => {
        const met = await compare(memory, asked, model)
        if (met > 0 && met < model.length) meeting++
      }),
      { numRuns: 400 },
    )
    expect(meeting).toBeGreaterThan(50)
  })

  it('texts of any kind are stored exactly or refused, in every place', { timeout: 60_000 }, async () => {
    const memory = await create()
    const kept = new Map<string, string>()
    await memory.unitOfWork(async ({ memories, documents, messages }) => {
      for (const [i, text] of naughtyStrings().entries()) {
        const error = await failure(memories.add(wholeOf(`e${i}`, text)))
        if (error) {
          expect(isTyped(error) && error.code).toBe('validation')
          continue
        }
        kept.set(`e${i}`, text)
        await documents.upsert({ namespace: text, id: text, content: text })
        await messages.append(text, says(text, { id: text }), { userId: text })
      }
    })
    expect(kept.size).toBeGreaterThan(100)
    const stored = new Map((await collect(memory.memories.each())).map((memoryEntry) => [memoryEntry.id, memoryEntry]))
    for (const [id, text] of kept) expect(stored.get(id)).toMatchObject(wholeOf(id, text))
    expect(new Set((await memory.documents.namespaces({ limit: 1000 })).items)).toEqual(new Set(kept.values()))
    for (const [id, text] of [...kept].filter((_, i) => i % 7 === 0)) {
      expect(idsOf((await memory.memories.list({ userId: text, tags: [text] })).items)).toContain(id)
      expect(idsOf((await memory.documents.list(text)).items)).toEqual([text])
      expect(await memory.messages.get(text, text)).toMatchObject({ id: text, conversationId: text, content: text })
    }
  })
})

const wholeOf = (id: string, text: string) => ({
  id,
  userId: text,
  content: text,
  category: text,
  source: text,
  tags: [text],
  metadata: Object.fromEntries([[text, text]]),
})
