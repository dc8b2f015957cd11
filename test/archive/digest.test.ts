import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../src/model/canonical.js'
import { DigestSum, recordDigest } from '../../src/model/digest.js'
import type { JsonValue, Message } from '../../src/model/records.js'
import { anyEntry } from './records.js'

const at = new Date('2026-01-01T00:00:00.000Z')
const message: Message = {
  tenantId: 't',
  conversationId: 'c',
  id: 'm',
  position: 7,
  parentId: null,
  role: 'user',
  type: 'text',
  content: 'héllo',
  parts: null,
  name: '',
  toolCallId: null,
  status: 'complete',
  metadata: { b: 1.0, a: [null, 'x'] },
  createdAt: at,
  updatedAt: at,
  version: 2,
}

describe('the digest of a record', () => {
  test('is SHA-256 over length-prefixed fields, as documented', () => {
    const piece = (text: string | null): Buffer => {
      const bytes = Buffer.from(text ?? '')
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text === null ? 0xffffffff : bytes.length)
      return Buffer.concat([length, bytes])
    }
    const ms = '1767225600000'
    const pieces = [
      'bruno/1 exact message',
      't',
      'c',
      'm',
      '7',
      null,
      'user',
      'text',
      'héllo',
      null,
      '',
      null,
      'complete',
      '{"a":[null,"x"],"b":1}',
      ms,
      ms,
      '2',
    ]
    const expected = createHash('sha256')
      .update(Buffer.concat(pieces.map(piece)))
      .digest('hex')
    expect(recordDigest('message', message).toString('hex')).toBe(expected)
    // Archives that people keep hold such digests: the format must not drift.
    expect(expected).toBe('cf467ee339736de1783ae66ba18f1177568f8d182877105733b0c2eb640c5ce4')
  })

  test('differs with every field, null and empty included, and not with the order of JSON keys', () => {
    const digest = (m: Message) => recordDigest('message', m).toString('hex')
    const changes: Partial<Message>[] = [
      { name: null },
      { parentId: '' },
      { content: 'hello' },
      { parts: [] },
      { metadata: { b: 1 } },
      { position: 8 },
      { version: 3 },
      { updatedAt: new Date(at.getTime() + 1) },
      { tenantId: 'tc', conversationId: '' },
    ]
    const all = [message, ...changes.map((change) => ({ ...message, ...change }))].map(digest)
    expect(new Set(all).size).toBe(all.length)
    expect(digest({ ...message, metadata: { a: [null, 'x'], b: 1 } })).toBe(all[0])
  })

  test('by content leaves out what an import gives anew', () => {
    const digest = (m: Message) => recordDigest('message', m, 'content').toString('hex')
    expect(digest({ ...message, position: 9, version: 5, tenantId: 'other', updatedAt: new Date() })).toBe(
      digest(message),
    )
    expect(digest({ ...message, content: 'other' })).not.toBe(digest(message))
  })

  test('of large content is the same whatever was digested before', () => {
    const large = { ...message, content: 'é'.repeat(3_000_000) }
    const first = recordDigest('message', large)
    recordDigest('message', message)
    expect(recordDigest('message', large)).toEqual(first)
  })

  test('sums do not depend on order, and carry', () => {
    const entries = fc.sample(anyEntry, { seed: 3, numRuns: 50 })
    const sumOf = (list: typeof entries): string => {
      const sum = new DigestSum()
      for (const { kind, record } of list) sum.add(recordDigest(kind, record as never))
      return sum.hex()
    }
    expect(sumOf([...entries].reverse())).toBe(sumOf(entries))
    const big = entries.reduce(
      (n, { kind, record }) => n + BigInt(`0x${recordDigest(kind, record as never).toString('hex')}`),
      0n,
    )
    expect(BigInt(`0x${sumOf(entries)}`)).toBe(big % 2n ** 256n)
    const ones = new DigestSum()
    for (let i = 0; i < 3; i++) ones.add(Buffer.alloc(32, 0xff))
    expect(ones.hex()).toBe(`${'f'.repeat(63)}d`)
  })
})

describe('canonical JSON', () => {
  test('means the same as the value, and is the same for every order of keys', () => {
    const shuffled = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(shuffled)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([k, v]) => [k, shuffled(v)]),
            )
          : value
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value as JsonValue)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(shuffled(value) as JsonValue)).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  test('is that of the example in RFC 8785', () => {
    const example = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    expect(canonicalJson(JSON.parse(example) as JsonValue)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  test('orders keys by UTF-16 units and refuses numbers that JSON has not', () => {
    expect(canonicalJson({ '\ufb33': 1, '😀': 2, '€': 3, '1': 4, '\r': 5 })).toBe(
      '{"\\r":5,"1":4,"€":3,"😀":2,"\ufb33":1}',
    )
    expect(canonicalJson([1e21, 1e-7, -0, 0.1, 123456789012])).toBe('[1e+21,1e-7,0,0.1,123456789012]')
    expect(() => canonicalJson(Number.NaN)).toThrow(RangeError)
  })
})
