import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { JsonObject } from '../../src/model/records.js'
import { canonical, jsonObjects } from '../support/json.js'
import { ADA, says } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeRoundTrips(harness: Harness): void {
  suite(harness, 'round trips: JSON', ['users'], itKeepsJson)
  suite(harness, 'round trips: text', ['messages', 'memories'], itKeepsText)
}

function itKeepsJson(ground: Ground): void {
  it('arbitrary JSON comes back as it was, special keys included', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const property = fc.asyncProperty(jsonObjects, jsonObjects, async (metadata, profile) => {
      const user = await memory.users.create({ metadata, profile })
      const stored = await memory.users.get(user.id)
      for (const answer of [user, stored]) {
        expect(canonical(answer?.metadata)).toBe(canonical(metadata))
        expect(canonical(answer?.profile)).toBe(canonical(profile))
        expect(Object.getPrototypeOf(answer?.metadata)).toBe(Object.prototype)
      }
    })
    await fc.assert(property, { numRuns: 120 })
  })

  it('a merge replaces the keys of the patch and keeps the others, special keys included', {
    timeout: 30_000,
  }, async () => {
    const memory = await ground.open()
    const property = fc.asyncProperty(jsonObjects, jsonObjects, async (base, patch) => {
      const { id } = await memory.users.create({ metadata: base })
      await memory.users.update(id, { metadata: patch })
      const merged = new Map([...Object.entries(base), ...Object.entries(patch)])
      const metadata = (await memory.users.get(id))?.metadata
      expect(new Set(Object.keys(metadata ?? {}))).toEqual(new Set(merged.keys()))
      for (const [k, v] of Object.entries(metadata ?? {})) expect(canonical(v)).toBe(canonical(merged.get(k)))
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('no key changes what objects inherit', async () => {
    const memory = await ground.open()
    const hostile = JSON.parse(
      '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}',
    ) as JsonObject
    const { id } = await memory.users.create({ metadata: hostile })
    await memory.users.update(id, { metadata: hostile, preferences: hostile })
    const user = await memory.users.get(id)
    expect(canonical(user?.metadata)).toBe(canonical(hostile))
    expect(canonical(user?.preferences)).toBe(canonical(hostile))
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect((user?.metadata as Record<string, unknown> | undefined)?.polluted).toBeUndefined()
  })
}

function itKeepsText(ground: Ground): void {
  it('arbitrary Unicode comes back as it was', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const any = fc
      .oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 60 }))
      .filter((s) => !s.includes('\0') && s.isWellFormed())
    const property = fc.asyncProperty(fc.array(any, { minLength: 1, maxLength: 8 }), any, async (texts, tag) => {
      const contents = texts.map((s) => `x${s}`)
      const stored = await memory.messages.append(
        'c',
        contents.map((content) => says(content, { name: content })),
        { userId: ADA },
      )
      for (const [i, message] of stored.entries()) {
        expect(message.content).toBe(contents[i])
        expect(await memory.messages.get('c', message.id)).toEqual(message)
      }
      const entry = await memory.memories.add({
        userId: ADA,
        content: contents[0] ?? 'x',
        tags: [`t${tag}`.slice(0, 60)],
      })
      expect(await memory.memories.get(entry.id)).toEqual(entry)
      expect(entry.tags).toEqual([`t${tag}`.slice(0, 60)].map((t) => t))
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('every instant from year 1 to 9999 comes back to the millisecond', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const instants = fc.date({
      min: new Date('0001-01-01T00:00:00.000Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    })
    const property = fc.asyncProperty(instants, instants, async (createdAt, lastAccessedAt) => {
      const entry = await memory.memories.add({ userId: ADA, content: 'x', createdAt, lastAccessedAt })
      expect([entry.createdAt, entry.lastAccessedAt]).toEqual([createdAt, lastAccessedAt])
      expect(await memory.memories.get(entry.id)).toEqual(entry)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('every fraction comes back bit for bit', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const fraction = fc.double({ min: 0, max: 1, noNaN: true }).map((n) => (n === 0 ? 0 : n))
    const property = fc.asyncProperty(fraction, fraction, async (importance, confidence) => {
      const entry = await memory.memories.add({ userId: ADA, content: 'x', importance, confidence })
      const stored = await memory.memories.get(entry.id)
      expect([stored?.importance, stored?.confidence]).toEqual([importance, confidence])
    })
    await fc.assert(property, { numRuns: 60 })
  })
}
