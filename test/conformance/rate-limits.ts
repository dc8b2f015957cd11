import { expect, it } from 'vitest'
import type { RateLimiterOptions } from '../../src/contract/rate-limit.js'
import { eventually } from '../support/eventually.js'
import { adversarialNames } from '../support/names.js'
import { refused } from './expecting.js'
import { type Ground, type Harness, suite } from './harness.js'

/** Limits that all processes share. */
export function describeRateLimits(harness: Harness): void {
  suite(harness, 'rate limits', ['rateLimits'], (ground) => {
    itCounts(ground)
    itTellsApart(ground)
    itEnds(ground)
    itIsShared(ground)
    itRefuses(ground)
  })
}

/** Three points, for longer than any test runs. */
const THREE: RateLimiterOptions = { points: 3, duration: 3600 }

function itCounts(ground: Ground): void {
  it('takes points until none is left, and then refuses and says for how long', async () => {
    const limiter = (await ground.open()).rateLimiter(THREE)
    for (const remaining of [2, 1, 0]) {
      const taken = await limiter.consume('k')
      expect(taken).toMatchObject({ allowed: true, remaining })
      expect(taken.retryAfter).toBeLessThanOrEqual(3_600_000)
    }
    for (let i = 0; i < 3; i++) {
      const { allowed, remaining, retryAfter } = await limiter.consume('k')
      expect([allowed, remaining]).toEqual([false, 0])
      expect(retryAfter).toBeGreaterThan(3_000_000)
      expect(retryAfter).toBeLessThanOrEqual(3_600_000)
    }
  })

  it('takes several points at once, and not more than there are', async () => {
    const limiter = (await ground.open()).rateLimiter({ ...THREE, points: 10 })
    expect(await limiter.consume('k', 4)).toMatchObject({ allowed: true, remaining: 6 })
    expect(await limiter.consume('k', 6)).toMatchObject({ allowed: true, remaining: 0 })
    expect((await limiter.consume('k')).allowed).toBe(false)
    const much = await limiter.consume('other', 11)
    expect(much.allowed).toBe(false)
    expect(much.retryAfter).toBeGreaterThan(0)
  })

  it('peek says how it stands and takes nothing', async () => {
    const limiter = (await ground.open()).rateLimiter(THREE)
    for (let i = 0; i < 5; i++) expect(await limiter.peek('k')).toMatchObject({ allowed: true, remaining: 3 })
    await limiter.consume('k', 2)
    for (let i = 0; i < 5; i++) expect(await limiter.peek('k')).toMatchObject({ allowed: true, remaining: 1 })
    await limiter.consume('k')
    await limiter.consume('k')
    const stands = await limiter.peek('k')
    expect(stands).toMatchObject({ allowed: false, remaining: 0 })
    expect(stands.retryAfter).toBeGreaterThan(0)
  })

  it('reset begins anew for its key alone, also for one that was never used', async () => {
    const limiter = (await ground.open()).rateLimiter(THREE)
    for (const key of ['k', 'other']) await limiter.consume(key, 3)
    await limiter.consume('k')
    await limiter.reset('k')
    await limiter.reset('never')
    expect(await limiter.consume('k')).toMatchObject({ allowed: true, remaining: 2 })
    expect((await limiter.consume('other')).allowed).toBe(false)
  })
}

function itTellsApart(ground: Ground): void {
  it('keys, names and tenants have points of their own, whatever they are called', async () => {
    const memory = await ground.open()
    const names = adversarialNames(60)
    const limiter = memory.rateLimiter(THREE)
    for (const [i, key] of names.entries()) await limiter.consume(key, (i % 3) + 1)
    for (const [i, key] of names.entries()) expect((await limiter.peek(key)).remaining, key).toBe(2 - (i % 3))
    const [a, b] = [memory.forTenant('a'), memory.forTenant('a:')]
    for (const each of [a, b]) await each.rateLimiter({ ...THREE, name: 'n' }).consume('k', each === a ? 1 : 2)
    expect((await a.rateLimiter({ ...THREE, name: 'n' }).peek('k')).remaining).toBe(2)
    expect((await b.rateLimiter({ ...THREE, name: 'n' }).peek('k')).remaining).toBe(1)
    for (const name of names) await memory.rateLimiter({ ...THREE, name }).consume('k')
    for (const name of names) expect((await memory.rateLimiter({ ...THREE, name }).peek('k')).remaining, name).toBe(2)
  })

  it('two limiters of one name are the same limit; without a name it is called default', async () => {
    const memory = await ground.open()
    await memory.rateLimiter(THREE).consume('k', 2)
    expect((await memory.rateLimiter({ ...THREE, name: 'default' }).peek('k')).remaining).toBe(1)
    expect((await memory.forTenant('default').rateLimiter(THREE).peek('k')).remaining).toBe(1)
  })
}

function itEnds(ground: Ground): void {
  it('a window ends, and gives all points again', async () => {
    const limiter = (await ground.open()).rateLimiter({ points: 2, duration: 1 })
    await limiter.consume('k', 2)
    const { allowed, retryAfter } = await limiter.consume('k')
    expect(allowed).toBe(false)
    expect(retryAfter).toBeGreaterThan(0)
    expect(retryAfter).toBeLessThanOrEqual(1000)
    await eventually(ground.clock, async () => (await limiter.peek('k')).allowed)
    expect(await limiter.peek('k')).toMatchObject({ allowed: true, remaining: 2 })
    expect(await limiter.consume('k')).toMatchObject({ allowed: true, remaining: 1 })
  })

  it('whoever ran out is refused for as long as the block lasts', async () => {
    const limiter = (await ground.open()).rateLimiter({ points: 1, duration: 1, blockDuration: 600 })
    expect((await limiter.consume('k')).allowed).toBe(true)
    const { allowed, retryAfter } = await limiter.consume('k')
    expect(allowed).toBe(false)
    expect(retryAfter).toBeGreaterThan(500_000)
    expect(retryAfter).toBeLessThanOrEqual(600_000)
    const later = Date.now() + 1100
    await eventually(ground.clock, () => Date.now() > later)
    expect((await limiter.consume('k')).allowed).toBe(false)
    expect((await limiter.consume('other')).allowed).toBe(true)
  })
}

const allowedOf = (taken: readonly { readonly allowed: boolean }[]): number =>
  taken.filter(({ allowed }) => allowed).length

function itIsShared(ground: Ground): void {
  it('consumers side by side never get more than there is', async () => {
    const memory = await ground.open()
    const taken = await Promise.all(
      Array.from({ length: 60 }, () => memory.rateLimiter({ points: 20, duration: 3600 }).consume('k')),
    )
    expect(allowedOf(taken)).toBe(20)
    expect(taken.filter(({ allowed }) => !allowed).every(({ retryAfter }) => retryAfter > 0)).toBe(true)
    const remaining = taken.filter(({ allowed }) => allowed).map((each) => each.remaining)
    expect(remaining.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  ground.shared('two instances share a limit', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    const limiters = [memory, second].map((each) => each.rateLimiter({ points: 11, duration: 3600 }))
    const taken = await Promise.all(Array.from({ length: 20 }, () => limiters.map((each) => each.consume('k'))).flat())
    expect(allowedOf(taken)).toBe(11)
    await limiters[0]?.reset('k')
    expect((await limiters[1]?.peek('k'))?.remaining).toBe(11)
  })
}

function itRefuses(ground: Ground): void {
  it('refuses options, keys and points that are none, by their names', async () => {
    const memory = await ground.open()
    const bad: readonly (readonly [options: object, field: string])[] = [
      [{ duration: 1 }, 'points'],
      [{ ...THREE, points: 0 }, 'points'],
      [{ ...THREE, points: 1.5 }, 'points'],
      [{ ...THREE, points: '3' }, 'points'],
      [{ points: 1 }, 'duration'],
      [{ ...THREE, duration: 0 }, 'duration'],
      [{ ...THREE, duration: Number.NaN }, 'duration'],
      [{ ...THREE, blockDuration: 0 }, 'blockDuration'],
      [{ ...THREE, name: '' }, 'name'],
      [{ ...THREE, pionts: 1 }, 'pionts'],
    ]
    for (const [options, field] of bad)
      await refused(() => memory.rateLimiter(options as RateLimiterOptions).consume('k'), 'validation', field)
    const limiter = memory.rateLimiter(THREE)
    for (const key of ['', 'x'.repeat(256), 'a\0', 5 as unknown as string])
      for (const call of [() => limiter.consume(key), () => limiter.peek(key), () => limiter.reset(key)])
        await refused(call, 'validation', 'key')
    for (const points of [0, -1, 0.5, '1' as unknown as number])
      await refused(limiter.consume('k', points), 'validation', 'points')
    expect((await limiter.peek('k')).remaining).toBe(3)
  })

  it('belongs to no unit, and to no memory that is closed', async () => {
    const memory = await ground.open()
    const limiter = memory.rateLimiter(THREE)
    if (!ground.lacks('atomicUnit'))
      await memory.unitOfWork(() => refused(limiter.consume('k'), 'validation', 'unitOfWork'))
    await memory.close()
    await refused(limiter.consume('k'), 'closed')
  })
}
