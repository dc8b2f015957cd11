import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createWithFallback, type FallbackEntry, type FallbackMemory, type FallbackOptions } from '../../src/index.js'
import { folder, refused } from './support.js'

const AWAY = 'postgres://ada:very-secret@127.0.0.1:1/memory'

async function open(backends: readonly FallbackEntry[], options?: FallbackOptions): Promise<FallbackMemory> {
  const memory = await createWithFallback(backends, options)
  onTestFinished(() => memory.close())
  return memory
}

describe('the options of a chain', () => {
  test('each backend is given those that it knows', async () => {
    const databasePath = join(await folder(), 'memory.db')
    const shared = {
      connectionString: AWAY,
      databasePath,
      connectTimeout: 500,
      poolSize: 2,
      tenancy: 'required' as const,
    }
    const memory = await open(['postgresql', 'sqlite'], shared)
    expect(memory.status()).toMatchObject({ serving: 'sqlite', degraded: true })
    await refused(() => memory.users.list(), 'validation')
    expect((await memory.forTenant('a').users.list()).items).toEqual([])
  })

  test('a store of vectors has no transactions to keep a journal in, wherever it stands', async () => {
    const databasePath = join(await folder(), 'memory.db')
    for (const backends of [
      ['qdrant', 'sqlite'],
      ['sqlite', 'chromadb'],
    ]) {
      const options = { databasePath, embeddingDimensions: 2, port: 1 }
      const error = await refused(() => createWithFallback(backends, options), 'configuration')
      expect(error.message).toMatch(/(qdrant|chromadb) has no transactions/)
    }
  })

  test('an entry may have its own, which win', async () => {
    const at = await folder()
    const entries = ['a', 'b'].map((name) => ({ backend: 'sqlite', databasePath: join(at, `${name}.db`) }))
    const memory = await open(entries, { databasePath: '/nowhere/at/all.db', enableFts: false })
    expect(memory.capabilities).toMatchObject({ textSearch: false, durability: 'power', positions: 'counter' })
    expect(memory.status().backends.map(({ name, healthy }) => [name, healthy])).toEqual([
      ['sqlite', true],
      ['sqlite#2', true],
    ])
  })

  test('one that none knows is refused with the nearest', async () => {
    const refusal = (options: object) =>
      refused(() => createWithFallback(['sqlite', 'postgresql'], options as FallbackOptions), 'configuration')
    expect((await refusal({ databasePth: 'x' })).message).toBe(
      'option databasePth: is not known to any of these backends, did you mean "databasePath"?',
    )
    expect((await refusal({ checkIntervall: 1 })).message).toMatch(/did you mean "checkInterval"/)
    expect((await refusal({ prefix: 'of redis' })).message).toMatch(/^option prefix: is not known to any/)
    expect((await refusal({ callTimeout: 0 })).message).toMatch(/callTimeout|databasePath/)
  })

  test.each<[string, unknown, unknown, RegExp]>([
    ['one backend', ['sqlite:x.db'], {}, /at least two/],
    ['no list', 'sqlite', {}, /at least two/],
    ['an entry without a backend', ['sqlite:x.db', { databasePath: 'x' }], {}, /^backends\[1\]/],
    ['an unknown backend', ['sqlite:x.db', 'sqlit:y.db'], {}, /did you mean "sqlite"/],
    ['options that are none', ['sqlite:x.db', 'sqlite:y.db'], null, /options must be an object/],
    ['a wrong interval', ['sqlite:x.db', 'sqlite:y.db'], { checkInterval: 1.5 }, /^option checkInterval/],
    ['a listener that is none', ['sqlite:x.db', 'sqlite:y.db'], { onSwitch: 1 }, /^option onSwitch/],
    ['a clock that is none', ['sqlite:x.db', 'sqlite:y.db'], { clock: 1 }, /^option clock/],
    ['an own option that is wrong', ['sqlite:x.db', { backend: 'sqlite:y.db', durabilty: 1 }], {}, /"durability"/],
  ])('%s is refused', async (_, backends, options, message) => {
    const error = await refused(
      () => createWithFallback(backends as string[], options as FallbackOptions),
      'configuration',
    )
    expect(error.message).toMatch(message)
  })

  test('a backend that is not durable cannot stand in, also where it is not needed', async () => {
    const path = join(await folder(), 'memory.db')
    const error = await refused(() => createWithFallback([`sqlite:${path}`, 'sqlite::memory:']), 'configuration')
    expect(error.message).toMatch(/^sqlite#2 cannot stand in for another backend: it is not durable/)
    const memory = await open(['sqlite::memory:', `sqlite:${path}`])
    expect(memory.capabilities.durability).toBe('none')
  })

  test('the listener is told of the first switch too', async () => {
    const at = await folder()
    const memory = await open([`sqlite:${join(at, 'a.db')}`, `sqlite:${join(at, 'b.db')}`], { onSwitch: () => {} })
    expect(await memory.handBack()).toEqual({ handedBack: 0, parked: 0, finished: true, reason: null })
  })
})

describe('secrets', () => {
  test('are in no error and no status', async () => {
    const error = await refused(
      () => createWithFallback([AWAY, 'postgres://eve:another-secret@127.0.0.1:2/memory'], { connectTimeout: 500 }),
      'connection',
    )
    expect(error.message).toMatch(
      /^no backend can be opened: postgresql: .*ECONNREFUSED.*; postgresql#2: .*ECONNREFUSED/,
    )
    const memory = await open([AWAY, `sqlite:${join(await folder(), 'memory.db')}`], { connectTimeout: 500 })
    const handedBack = await memory.handBack()
    expect(handedBack).toMatchObject({ finished: false, reason: expect.stringContaining('ECONNREFUSED') })
    const told = JSON.stringify([error, error.message, memory.status(), handedBack])
    expect(told).toContain('ECONNREFUSED')
    expect(told).not.toMatch(/secret/)
  })
})

describe('another name of a shared option', () => {
  test('is understood where it stands for itself, and refused where no backend has it', async () => {
    const databasePath = join(await folder(), 'memory.db')
    const memory = await open([AWAY, 'sqlite'], {
      databasePath,
      poolMaxSize: 2,
      connectTimeout: 500,
      connectionTimeout: 3,
    })
    expect(memory.status().serving).toBe('sqlite')
    const refusal = () => createWithFallback([AWAY, 'sqlite'], { databasePath, keyPrefix: 'x' })
    expect((await refused(refusal, 'configuration')).message).toMatch(/^option keyPrefix: is not known to any/)
  })
})
