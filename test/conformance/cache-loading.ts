import { expect, it } from 'vitest'
import { gate, pause } from '../support/gate.js'
import { counting, itIsOvertaken } from './cache-overtaken.js'
import { failure, refused } from './expecting.js'
import { type Ground, type Harness, suite } from './harness.js'

/** `getOrLoad`: a value is loaded once and kept, unless it has been overtaken. */
export function describeCacheLoading(harness: Harness): void {
  suite(harness, 'cache: loading', [], (ground) => {
    itLoads(ground)
    itLoadsOnce(ground)
    itRefuses(ground)
  })
  suite(harness, 'cache: loading overtaken', [], itIsOvertaken)
  suite(harness, 'cache: loading in units', ['atomicUnit'], itKeepsNothingOfUnits)
}

function itLoads(ground: Ground): void {
  it('what is not there is loaded and kept, what is there is not loaded', async () => {
    const memory = await ground.open()
    const load = counting({ list: [1] })
    expect(await memory.cache.getOrLoad('k', load)).toEqual({ list: [1] })
    expect(await memory.cache.get('k')).toEqual({ list: [1] })
    expect(await memory.cache.getOrLoad('k', load)).toEqual({ list: [1] })
    expect(load.times).toBe(1)
    await memory.cache.set('k', 'set')
    expect(await memory.cache.getOrLoad('k', load)).toBe('set')
    await memory.cache.delete('k')
    expect(await memory.cache.getOrLoad('k', load)).toEqual({ list: [1] })
    expect(load.times).toBe(2)
  })

  it('null, false, 0 and an empty text are values like others: they are kept', async () => {
    const memory = await ground.open()
    for (const value of [null, false, 0, '', [], {}]) {
      await memory.cache.delete('k')
      const load = counting(value)
      expect(await memory.cache.getOrLoad('k', load)).toEqual(value)
      expect(await memory.cache.getOrLoad('k', load)).toEqual(value)
      expect(load.times).toBe(1)
    }
  })

  ground.promise(
    'no-cache-clock',
    'what was loaded is forgotten after its seconds, and loaded again',
    async () => {
      const memory = await ground.open()
      const load = counting()
      const ask = () => memory.cache.getOrLoad('k', load, { ttl: 10 })
      await ask()
      ground.clock.advance(9999)
      await ask()
      expect(load.times).toBe(1)
      ground.clock.advance(1)
      expect(await memory.cache.get('k')).toBeNull()
      await ask()
      expect(load.times).toBe(2)
    },
    async () => {
      const memory = await ground.open()
      const load = counting()
      expect(await memory.cache.getOrLoad('k', load, { ttl: 10 })).toBe('loaded')
      expect(await memory.cache.getOrLoad('k', load, { ttl: 10 })).toBe('loaded')
      expect(load.times).toBe(1)
    },
  )

  it('every answer is a copy', async () => {
    const memory = await ground.open()
    const loaded = { list: [1] }
    const ask = () => memory.cache.getOrLoad<{ list: number[] }>('k', async () => loaded)
    const answers = await Promise.all([ask(), ask(), ask()])
    answers.push(await ask())
    for (const { list } of answers)
      try {
        list.push(2)
      } catch {
        // A frozen answer is as good.
      }
    expect(loaded).toEqual({ list: [1] })
    expect(await ask()).toEqual({ list: [1] })
    expect(new Set(answers).size).toBe(4)
  })
}

function itLoadsOnce(ground: Ground): void {
  it('of twenty callers at once one loads, and all are answered', async () => {
    const memory = await ground.open()
    const finish = gate()
    let loads = 0
    const load = async (): Promise<number> => {
      loads++
      await finish.opened
      return loads
    }
    const answers = Promise.all(Array.from({ length: 20 }, () => memory.cache.getOrLoad('k', load)))
    await pause()
    finish.open()
    expect(await answers).toEqual(Array.from({ length: 20 }, () => 1))
    expect(await memory.cache.getOrLoad('k', load)).toBe(1)
    expect(loads).toBe(1)
  })

  it('a load that fails reaches all who wait for it, is not kept, and the next one loads again', async () => {
    const memory = await ground.open()
    const error = new Error('no answer')
    const finish = gate()
    let loads = 0
    const load = async (): Promise<string> => {
      loads++
      await finish.opened
      throw error
    }
    const asked = Array.from({ length: 5 }, () => failure(memory.cache.getOrLoad('k', load)))
    await pause()
    finish.open()
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 5 }, () => error))
    expect(loads).toBe(1)
    expect(await memory.cache.get('k')).toBeNull()
    expect(await memory.cache.getOrLoad('k', counting())).toBe('loaded')
  })

  it('keys are loaded side by side, those of two tenants for each of them', async () => {
    const memory = await ground.open()
    const finish = gate()
    const slow = memory.cache.getOrLoad('slow', async () => {
      await finish.opened
      return 'slow'
    })
    const [a, b] = [memory.forTenant('a'), memory.forTenant('b')]
    const answers = [a, b].map((tenant) => tenant.cache.getOrLoad('slow', async () => tenant.tenantId))
    expect(await Promise.all(answers)).toEqual(['a', 'b'])
    expect([await a.cache.get('slow'), await b.cache.get('slow')]).toEqual(['a', 'b'])
    // A load may use the cache itself.
    const outer = memory.cache.getOrLoad('outer', () => memory.cache.getOrLoad('inner', async () => 'inner'))
    expect(await outer).toBe('inner')
    finish.open()
    expect(await slow).toBe('slow')
  })
}

function itRefuses(ground: Ground): void {
  it('refuses a key, a load and a time that are none, before it loads, and a value that is no JSON', async () => {
    const memory = await ground.open()
    const load = counting()
    for (const key of ['', 'a\0', '\udfff', 5 as unknown as string])
      await refused(memory.cache.getOrLoad(key, load), 'validation', 'key')
    for (const ttl of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number])
      await refused(memory.cache.getOrLoad('k', load, { ttl }), 'validation', 'ttl')
    await refused(memory.cache.getOrLoad('k', load, { tl: 5 } as object), 'validation', 'tl')
    await refused(memory.cache.getOrLoad('k', 'load' as never), 'validation', 'load')
    expect(load.times).toBe(0)
    for (const [value, field] of [
      [undefined, 'value'],
      [Number.NaN, 'value'],
      [new Date(), 'value'],
      [{ a: 10n }, 'value.a'],
      ['a\0b', 'value'],
    ] as const)
      await refused(
        memory.cache.getOrLoad('k', async () => value as never),
        'validation',
        field,
      )
    expect(await memory.cache.get('k')).toBeNull()
  })
}

function itKeepsNothingOfUnits(ground: Ground): void {
  it('inside a unit it loads what is not there, sees what the unit set, and keeps nothing', async () => {
    const memory = await ground.open()
    await memory.cache.set('known', 'outside')
    const load = counting()
    await memory.unitOfWork(async (unit) => {
      await unit.cache.set('own', 'inside')
      await unit.cache.delete('known')
      expect(await unit.cache.getOrLoad('own', load)).toBe('inside')
      expect(load.times).toBe(0)
      expect(await unit.cache.getOrLoad('known', load)).toBe('loaded')
      expect(await unit.cache.getOrLoad('absent', load)).toBe('loaded')
      expect(await unit.cache.getOrLoad('absent', load)).toBe('loaded')
    })
    expect(load.times).toBe(3)
    const keys = ['own', 'known', 'absent']
    expect(await Promise.all(keys.map((key) => memory.cache.get(key)))).toEqual(['inside', null, null])
  })

  it('a value that is no JSON is refused there too, and a copy is answered', async () => {
    const memory = await ground.open()
    const loaded = { list: [1] }
    await memory.unitOfWork(async (unit) => {
      await refused(
        unit.cache.getOrLoad('k', async () => Number.NaN),
        'validation',
        'value',
      )
      expect(await unit.cache.getOrLoad('k', async () => loaded)).toEqual(loaded)
      expect(await unit.cache.getOrLoad('k', async () => loaded)).not.toBe(loaded)
    })
    expect(await memory.cache.get('k')).toBeNull()
  })
}
