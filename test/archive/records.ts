import fc from 'fast-check'
import type { ArchiveEntry } from '../../src/archive/record.js'
import type { JsonObject, JsonValue } from '../../src/model/records.js'

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const instant = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
// A store has no negative zero: the door makes it zero.
const value = fc.jsonValue().map((v) => JSON.parse(JSON.stringify(v)) as JsonValue)
const json: fc.Arbitrary<JsonObject> = fc.dictionary(text, value, { maxKeys: 4, noNullPrototype: true })
const stamped = { tenantId: text, createdAt: instant, updatedAt: instant, version: fc.nat() }
const nullable = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const fraction = fc.double({ min: 0, max: 1, noNaN: true }).map((n) => n + 0)

/** Any record of any kind, awkward values included. */
export const anyEntry: fc.Arbitrary<ArchiveEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('user' as const),
    record: fc.record({
      id: text,
      name: nullable(text),
      preferences: json,
      profile: json,
      metadata: json,
      lastActiveAt: nullable(instant),
      ...stamped,
    }),
  }),
  fc.record({
    kind: fc.constant('message' as const),
    record: fc.record({
      id: text,
      conversationId: text,
      position: fc.nat(),
      parentId: nullable(text),
      role: fc.constantFrom('user' as const, 'assistant' as const, 'tool' as const),
      type: fc.constant('text' as const),
      content: text,
      parts: nullable(fc.array(value, { maxLength: 3 })),
      name: nullable(text),
      toolCallId: nullable(text),
      status: fc.constant('complete' as const),
      metadata: json,
      ...stamped,
    }),
  }),
  fc.record({
    kind: fc.constant('memory' as const),
    record: fc.record({
      id: text,
      userId: text,
      conversationId: nullable(text),
      type: fc.constant('fact' as const),
      content: text,
      source: nullable(text),
      category: nullable(text),
      tags: fc.array(text, { maxLength: 3 }),
      confidence: fraction,
      importance: fraction,
      accessCount: fc.nat(),
      relatedIds: fc.array(text, { maxLength: 3 }),
      metadata: json,
      lastAccessedAt: nullable(instant),
      expiresAt: nullable(instant),
      ...stamped,
    }),
  }),
)
