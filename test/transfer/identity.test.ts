import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Carried } from '../../src/contract/transfer.js'
import type { JsonObject } from '../../src/model/records.js'
import { openSource, openTarget, transfer } from '../../src/run-transfer.js'
import { carriedDigest } from '../../src/transfer/record-hash.js'
import { type End, type EndName, freshEnd } from './support/ends.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

const DIMENSIONS = 8
const legal = (text: string): boolean => text.isWellFormed() && !text.includes('\0')
const AWKWARD = [
  '\\',
  '\\N',
  '\\.',
  '\t',
  '\r\n',
  '\\u0000',
  "'; drop table",
  '%',
  ':',
  '}',
  '\u{10ffff}',
  '\ufffd',
  '\ufeff',
  '\u202e',
]
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.constantFrom(...AWKWARD),
  )
  .filter(legal)
const id = text.filter((value) => value.length > 0 && Buffer.byteLength(value) <= 255)
const instant = fc.oneof(
  fc.constantFrom(new Date(0), new Date(-1), new Date('0001-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')),
  fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
)
const json = fc
  .dictionary(
    text,
    fc
      .jsonValue({ maxDepth: 4 })
      .filter((value) => !JSON.stringify(value).includes('\\u0000') && JSON.stringify(value).isWellFormed()),
    { maxKeys: 4, noNullPrototype: true },
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject)
  .filter((value) => !/\\ud[89a-f]/i.test(JSON.stringify(value)))
const number = fc.constantFrom(1, 2, 2 ** 31, Number.MAX_SAFE_INTEGER)
const stamps = { createdAt: instant, updatedAt: instant, version: number }
const nullable = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const fraction = fc.constantFrom(0, 1, 0.1, 0.30000000000000004, Number.MIN_VALUE, 1 - 2 ** -53)
const vector = fc
  .array(fc.constantFrom(-0, 1, 0.1, -1.5, 1.4e-45, 3.4e38, 0.3333333432674408), {
    minLength: DIMENSIONS,
    maxLength: DIMENSIONS,
  })
  .map((values) => Float32Array.from(values))
  .filter((values) => values.some((each) => each !== 0))

const user = fc.record({
  id,
  name: nullable(text),
  preferences: json,
  profile: json,
  metadata: json,
  lastActiveAt: nullable(instant),
  ...stamps,
})
const conversation = fc.record({
  id,
  title: nullable(text),
  summary: nullable(text),
  tags: fc.array(text, { maxLength: 3 }),
  metadata: json,
  ...stamps,
})
const message = fc.record({
  id,
  role: fc.constantFrom('system' as const, 'user' as const, 'tool' as const, 'function' as const),
  type: fc.constantFrom('text' as const, 'action' as const),
  content: text,
  parts: nullable(fc.array(json, { maxLength: 2 })),
  name: nullable(text),
  toolCallId: nullable(text),
  status: fc.constantFrom('complete' as const, 'draft' as const, 'aborted' as const),
  metadata: json,
  vector: nullable(vector),
  ...stamps,
})
const memory = fc.record({
  id,
  type: fc.constantFrom('fact' as const, 'short_term' as const),
  content: text,
  source: nullable(text),
  category: nullable(text),
  tags: fc.array(text, { maxLength: 3 }),
  confidence: fraction,
  importance: fraction,
  accessCount: number,
  relatedIds: fc.array(text, { maxLength: 2 }),
  metadata: json,
  lastAccessedAt: nullable(instant),
  vector: nullable(vector),
  ...stamps,
})

type StoreOf = typeof store extends fc.Arbitrary<infer T> ? T : never

const many = <T extends { readonly id: string }>(of: fc.Arbitrary<T>) =>
  fc.uniqueArray(of, { minLength: 1, maxLength: 12, selector: (each) => each.id })
const store = fc.record({ tenantId: id, user, conversation, messages: many(message), memories: many(memory) })

/** Everything as it goes into a store, past the door. */
function carried({ tenantId, user, conversation, messages, memories }: StoreOf): Carried[] {
  const own = <R extends { vector: Float32Array | null }>({ vector, ...record }: R) => ({
    record,
    vector: vector && { vector, hash: new Uint8Array() },
  })
  const shared = { tenantId, userId: user.id }
  return [
    { kind: 'user', record: { tenantId, ...user }, vector: null },
    {
      kind: 'conversation',
      record: {
        ...shared,
        ...conversation,
        language: null,
        messageCount: messages.length,
        lastPosition: 99,
        expiresAt: null,
      },
      vector: null,
    },
    ...messages.map((each, i) => {
      const { record, vector } = own(each)
      const place = {
        tenantId,
        conversationId: conversation.id,
        position: i * 3 + 1,
        parentId: i > 0 ? (messages[i - 1]?.id ?? null) : null,
      }
      return { kind: 'message' as const, record: { ...place, ...record }, vector, holder: user.id }
    }),
    ...memories.map((each) => {
      const { record, vector } = own(each)
      return {
        kind: 'memory' as const,
        record: { ...shared, conversationId: null, expiresAt: null, ...record },
        vector,
      }
    }),
  ] as Carried[]
}

async function put(url: string, records: readonly Carried[]): Promise<void> {
  const { end: target, close } = await openTarget({ url, options: { embeddingDimensions: DIMENSIONS } })
  const job = await target.begin({
    id: 'fill',
    plan: '{}',
    owner: 'test',
    lease: 60_000,
    bulk: false,
    texts: false,
    space: null,
  })
  const { refused } = await job.write(records, () => ({
    range: 0,
    cursor: null,
    counts: {},
    present: 0,
    quarantined: 0,
    state: null,
  }))
  expect(refused).toEqual([])
  await job.finish()
  await job.complete()
  await close()
}

async function digests(url: string, kinds: readonly Carried['kind'][], vectors: boolean): Promise<string[]> {
  const { end: source, close } = await openSource({ url })
  const found: string[] = []
  for (const range of await source.ranges({ kinds }, 50))
    for await (const { records } of source.read(range, { after: null, limits: { records: 7, bytes: 1e6 } }))
      for (const each of records) found.push(carriedDigest(each, vectors ? 'exact' : 'none').toString('hex'))
  await close()
  return found.sort()
}

const jobs = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'bruno-memory-jobs-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

describe.each(['sqlite', 'postgresql', 'archive', 'redis'] as const)('there and back by %s', (name) => {
  test('is the identity on awkward values', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(store, async (generated) => {
        const [first, middle, last] = [await end('sqlite'), await end(name), await end('sqlite')]
        const records = carried(generated)
        await put(first.url, records)
        const kinds = ['user', 'conversation', 'message', 'memory'] as const
        const before = await digests(first.url, kinds, name !== 'redis')
        expect(before).toEqual(
          records.map((each) => carriedDigest(each, name === 'redis' ? 'none' : 'exact').toString('hex')).sort(),
        )
        const wishes = { jobs: jobs(), kinds, limits: { records: 5 } }
        expect((await transfer({ from: first, to: middle, ...wishes })).verified).toMatchObject({ equal: true })
        expect((await transfer({ from: middle, to: last, ...wishes })).verified).toMatchObject({ equal: true })
        expect(await digests(last.url, kinds, name !== 'redis')).toEqual(before)
      }),
      { numRuns: 6, seed: 20_261_124 },
    )
  })
})

describe.each(['postgresql', 'sqlite'] as const)('a value that only a file can hold, on its way to %s', (name) => {
  test('is carried where it means the same, and set apart where it does not', async () => {
    const [source, target] = [await end('sqlite'), await end(name)]
    {
      await using memory = createBackend(source.url)
      for (const n of Array.from({ length: 13 }, (_, i) => i))
        await memory.memories.add({ id: `e${n}`, userId: 'ada', content: `number ${n}` })
    }
    const client = new Sqlite(source.url.replace(/^sqlite:/, ''))
    const set = (n: number, column: string, value: unknown) =>
      client.prepare(`update bruno_memories set ${column} = ? where id = ?`).run(value, `e${n}`)
    const deep = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
    set(0, 'metadata', '{"n":9007199254740993,"one":1.0,"e":1e2}')
    set(1, 'metadata', '{"a":1,"a":2}')
    set(2, 'metadata', deep(500))
    set(3, 'content', 'x'.repeat(50 * 1024 * 1024))
    set(4, 'version', 9223372036854775807n)
    set(5, 'access_count', -9223372036854775808n)
    set(6, 'metadata', '{"a":"\\ud800"}')
    set(7, 'metadata', '{"a":"\\u0000"}')
    set(8, 'metadata', '{"a":"\\\\u0000"}')
    set(9, 'tags', '{"not":"a list"}')
    set(10, 'importance', 1e308)
    client.exec(`update bruno_memories set content = cast(x'61eda08062' as text) where id = 'e11'`)
    set(12, 'content', 'a \ufffd that is meant')
    client.close()
    const report = await transfer({ from: source, to: target, quarantineLimit: 10 })
    expect(report.quarantined.map(({ id, reason }) => `${id} ${reason}`).sort()).toEqual([
      'e11 content: must be well-formed Unicode',
      'e4 version: must be a safe integer',
      'e5 accessCount: must be a safe integer',
      'e6 metadata: must be well-formed Unicode',
      'e7 metadata: must not contain NUL',
      'e9 tags: must be a list',
    ])
    expect(report.verified).toMatchObject({ equal: true, unreadable: 6 })
    await using memory = createBackend(target.url)
    expect((await memory.memories.get('e0'))?.metadata).toEqual({ n: 9007199254740992, one: 1, e: 100 })
    expect((await memory.memories.get('e1'))?.metadata).toEqual({ a: 2 })
    expect((await memory.memories.get('e8'))?.metadata).toEqual({ a: '\\u0000' })
    expect((await memory.memories.get('e3'))?.content.length).toBe(50 * 1024 * 1024)
  })
})
