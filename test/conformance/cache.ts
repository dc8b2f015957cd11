import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { JsonValue } from '../../src/model/records.js'
import { canonical, jsonValues } from '../support/json.js'
import { adversarialNames } from '../support/names.js'
import { refused } from './expecting.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeCache(harness: Harness): void {
  suite(harness, 'cache', [], (ground) => {
    itKeeps(ground)
    itForgets(ground)
    itExpires(ground)
    itRefuses(ground)
  })
}

function itKeeps(ground: Ground): void {
  it('answers what was set, null for what was not, and the latest of two', async () => {
    const memory = await ground.open()
    expect(await memory.cache.get('k')).toBeNull()
    for (const value of [
      'text',
      '',
      0,
      -1.5,
      true,
      false,
      null,
      [],
      {},
      [1, [2, { a: null }]],
      { 'a.b': { c: '\u{1f600}' } },
    ]) {
      await memory.cache.set('k', value)
      expect(await memory.cache.get('k')).toEqual(value)
    }
    await memory.cache.delete('k')
    await memory.cache.delete('k')
    expect(await memory.cache.get('k')).toBeNull()
  })

  it('any JSON comes back as it was', async () => {
    const memory = await ground.open()
    const property = fc.asyncProperty(jsonValues, async (value) => {
      await memory.cache.set('k', value)
      expect(canonical(await memory.cache.get('k'))).toBe(canonical(value))
    })
    await fc.assert(property, { numRuns: 100 })
  })

  it('the value is kept as it was set, whatever becomes of the caller’s object or of an answer', async () => {
    const memory = await ground.open()
    const value = { list: [1] }
    await memory.cache.set('k', value)
    value.list.push(2)
    const answer = await memory.cache.get<{ list: number[] }>('k')
    expect(answer).toEqual({ list: [1] })
    try {
      answer?.list.push(3)
    } catch {
      // A frozen answer is as good.
    }
    expect(await memory.cache.get('k')).toEqual({ list: [1] })
  })

  it('keys that look alike are told apart, in one tenant and between two', async () => {
    const memory = await ground.open()
    const names = adversarialNames(200)
    const [a, b] = [memory.forTenant('a'), memory.forTenant('a:')]
    for (const name of names) await a.cache.set(name, `a ${name}`)
    for (const name of names) await b.cache.set(name, `b ${name}`)
    for (const name of names.slice(0, 100)) await b.cache.delete(name)
    const kept = await Promise.all(names.map((name) => a.cache.get(name)))
    expect(kept).toEqual(names.map((name) => `a ${name}`))
    const rest = await Promise.all(names.map((name) => b.cache.get(name)))
    expect(rest).toEqual(names.map((name, i) => (i < 100 ? null : `b ${name}`)))
  })
}

function itForgets(ground: Ground): void {
  ground.promise(
    'no-cache-clock',
    'forgets after its seconds by the clock, not before',
    async () => {
      const memory = await ground.open()
      await memory.cache.set('short', 1, { ttl: 10 })
      await memory.cache.set('shorter', 1, { ttl: 0.5 })
      await memory.cache.set('long', 1, { ttl: 3600 })
      const seen = () => Promise.all(['short', 'shorter', 'long'].map((key) => memory.cache.get(key)))
      expect(await seen()).toEqual([1, 1, 1])
      ground.clock.advance(500)
      expect(await seen()).toEqual([1, null, 1])
      ground.clock.advance(9499)
      expect(await seen()).toEqual([1, null, 1])
      ground.clock.advance(1)
      expect(await seen()).toEqual([null, null, 1])
    },
    async () => {
      const memory = await ground.open()
      await memory.cache.set('short', 1, { ttl: 10 })
      ground.clock.advance(11_000)
      expect([1, null]).toContain(await memory.cache.get('short'))
    },
  )

  it('a new set begins a new time', async () => {
    const memory = await ground.open()
    await memory.cache.set('k', 1, { ttl: 10 })
    ground.clock.advance(9000)
    await memory.cache.set('k', 2, { ttl: 10 })
    ground.clock.advance(9000)
    expect(await memory.cache.get('k')).toBe(2)
  })
}

function itExpires(ground: Ground): void {
  ground.promise(
    'no-cache-clock',
    'expire gives an entry another end, sooner or later than its own, and leaves its value',
    async () => {
      const memory = await ground.open()
      await memory.cache.set('sooner', 1)
      await memory.cache.set('later', 2, { ttl: 1 })
      for (const key of ['sooner', 'later']) expect(await memory.cache.expire(key, 10)).toBe(true)
      ground.clock.advance(9999)
      expect([await memory.cache.get('sooner'), await memory.cache.get('later')]).toEqual([1, 2])
      ground.clock.advance(1)
      expect([await memory.cache.get('sooner'), await memory.cache.get('later')]).toEqual([null, null])
      expect(await memory.cache.expire('sooner', 10)).toBe(false)
    },
    async () => {
      const memory = await ground.open()
      await memory.cache.set('k', 1)
      expect(await memory.cache.expire('k', 10)).toBe(true)
      expect(await memory.cache.get('k')).toBe(1)
    },
  )

  it('expire makes nothing that is not there', async () => {
    const memory = await ground.open()
    await memory.cache.set('null', null)
    await memory.cache.set('deleted', 1)
    await memory.cache.delete('deleted')
    const answers = await Promise.all(['absent', 'deleted', 'null'].map((key) => memory.cache.expire(key, 10)))
    expect(answers).toEqual([false, false, true])
    expect(await memory.forTenant('other').cache.expire('null', 10)).toBe(false)
    expect([await memory.cache.get('absent'), await memory.cache.get('deleted')]).toEqual([null, null])
  })

  ground.sharedCache('another instance sees what was set, deleted and given another end', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    await memory.cache.set('k', { a: 1 })
    expect(await second.cache.get('k')).toEqual({ a: 1 })
    expect(await second.cache.expire('k', 60)).toBe(true)
    await second.cache.delete('k')
    expect(await memory.cache.get('k')).toBeNull()
    expect(await memory.cache.expire('k', 60)).toBe(false)
  })
}

function itRefuses(ground: Ground): void {
  it('refuses what is not JSON, keys that are none, and times that are none', async () => {
    const memory = await ground.open()
    await memory.cache.set('k', 'kept')
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    const values: readonly (readonly [value: unknown, field: string])[] = [
      [undefined, 'value'],
      [Number.NaN, 'value'],
      [10n, 'value'],
      [() => 1, 'value'],
      [new Date(), 'value'],
      ['a\0b', 'value'],
      [{ a: { b: undefined, c: ['\ud800'] } }, 'value.a.c[0]'],
      [cyclic, 'value.self'],
    ]
    for (const [value, field] of values) await refused(memory.cache.set('k', value as JsonValue), 'validation', field)
    for (const key of ['', 'a\0', '\udfff', 5 as unknown as string])
      for (const call of [
        () => memory.cache.get(key),
        () => memory.cache.set(key, 1),
        () => memory.cache.delete(key),
        () => memory.cache.expire(key, 1),
      ])
        await refused(call, 'validation', 'key')
    for (const ttl of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number])
      for (const call of [() => memory.cache.set('k', 1, { ttl }), () => memory.cache.expire('k', ttl)])
        await refused(call, 'validation', 'ttl')
    await refused(memory.cache.expire('k', undefined as unknown as number), 'validation', 'ttl')
    await refused(memory.cache.set('k', 1, { tl: 5 } as object), 'validation', 'tl')
    expect(await memory.cache.get('k')).toBe('kept')
  })
}
