import { describe, expect, expectTypeOf, test } from 'vitest'
import { createBackend } from '../src/backend.js'
import type { BackendFactory, Means } from '../src/contract/factory.js'
import type { Memory, TenantMemory } from '../src/contract/memory.js'
import type { MemoryOf } from '../src/contract/memory-of.js'
import type { CommonOptions } from '../src/contract/options.js'
import { ConfigurationError } from '../src/errors.js'
import { listBackends, registerBackend } from '../src/registry.js'
import { registerInMemory } from './kit/in-memory/index.js'

registerInMemory()

/** What the call says; it must be a ConfigurationError. */
function complaint(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message
  }
  throw new Error('accepted')
}

const NOTHING = {
  ...createBackend('in-memory').capabilities,
  users: false,
  memories: false,
}
interface Options {
  readonly place?: string | undefined
}
/** What the factory below was asked to make. */
const asked: (readonly [options: Options & CommonOptions, means: Means])[] = []
const FACTORY: BackendFactory<Options> = {
  options: ['place'],
  capabilities: () => NOTHING,
  create(options, means) {
    asked.push([options, means])
    throw new Error('made')
  },
}
const register = (name: unknown, rest: object = {}): void =>
  registerBackend(name as string, { ...FACTORY, ...rest } as BackendFactory<Options>)

describe('registerBackend', () => {
  test('refuses names that are none', () => {
    for (const name of ['', 'A', 'Mine', '1st', 'my store', 'a:b', 'a/b', 'sch\u00f6n', '-a', 5, undefined, null])
      expect(complaint(() => register(name))).toMatch(/^the name of a backend must be made of a-z/)
    expect(listBackends()).toEqual(expect.arrayContaining(['sqlite', 'postgresql', 'redis', 'in-memory']))
  })

  test('refuses names and schemes that are taken, as name or as scheme', () => {
    for (const name of ['sqlite', 'in-memory', 'file', 'postgres', 'rediss', 'in-memory-of'])
      expect(complaint(() => register(name))).toBe(`backend "${name}" is known already`)
    const fromUrl = () => ({})
    for (const scheme of ['file', 'postgres', 'sqlite', 'in-memory-of'])
      expect(complaint(() => register('fresh', { schemes: ['new', scheme], fromUrl }))).toBe(
        `backend "${scheme}" is known already`,
      )
    expect(listBackends()).not.toContain('fresh')
  })

  test('refuses a factory that lacks something', () => {
    expect(complaint(() => register('fresh', { options: undefined }))).toBe('backend "fresh": options must be an array')
    expect(complaint(() => registerBackend('fresh', undefined as never))).toContain('options must be an array')
    for (const part of ['capabilities', 'create'])
      expect(complaint(() => register('fresh', { [part]: 'no function' }))).toBe(
        `backend "fresh": needs a function ${part}`,
      )
    expect(complaint(() => register('fresh', { schemes: ['fresh'] }))).toBe(
      'backend "fresh": schemes need a function fromUrl',
    )
    expect(listBackends()).not.toContain('fresh')
  })
})

describe('a backend that was registered', () => {
  test('is listed behind the own ones, and known by its name', () => {
    register('listed')
    const names = listBackends()
    expect(names.slice(0, 3)).toEqual(['sqlite', 'postgresql', 'redis'])
    expect(names.indexOf('listed')).toBeGreaterThan(names.indexOf('in-memory'))
    expect(createBackend('listed').capabilities).toEqual(NOTHING)
    expect(complaint(() => createBackend('lsted'))).toContain('backend "lsted" is not known, did you mean "listed"?')
  })

  test('knows its own options and the common ones; any other is refused with the nearest', () => {
    register('optional')
    expect(complaint(() => createBackend('optional', { palce: 'x' }))).toBe(
      'option palce: is not a known field, did you mean "place"?',
    )
    expect(complaint(() => createBackend('optional', { tenacy: 'required' }))).toContain('did you mean "tenancy"?')
    expect(complaint(() => createBackend('optional', { tenancy: 'none' }))).toContain('tenancy: ')
    expect(complaint(() => createBackend('in-memory', { storeName: 7 }))).toBe('option storeName: must be a name')
  })

  test('is given its options and what every backend is given, when it is opened and not before', async () => {
    register('given')
    const clock = () => 5
    const memory = createBackend('given', { place: 'here', clock, searchWeights: { text: 1 } })
    expect(asked).toEqual([])
    await expect(memory.connect()).rejects.toThrow('made')
    const [options, means] = asked[0] ?? []
    expect(options?.place).toBe('here')
    expect(means).toMatchObject({ clock, weights: { text: 1, vector: 0.25 }, vectors: { embedder: null } })
    expect(means?.newId()).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('is opened by the scheme of its URL, with the options that the URL stands for', async () => {
    await using one = createBackend('in-memory-of:shared')
    await using other = createBackend('in-memory-of:shared', { tenancy: 'optional' })
    await using alone = createBackend('in-memory')
    await one.users.create({ id: 'ada' })
    expect((await other.users.get('ada'))?.id).toBe('ada')
    expect(await alone.users.get('ada')).toBeNull()
    expect(complaint(() => createBackend('in-memory-of:'))).toBe('option storeName: must be a name')
    expect(complaint(() => createBackend('in-memori-of:x'))).toContain('is not known')
  })
})

/** For the compiler alone: each line marked is an error because of its type, the others are none. */
async function typedByName(): Promise<void> {
  const redis = createBackend('redis')
  // @ts-expect-error Redis keeps no documents
  await redis.documents.get('n', 'd')
  // @ts-expect-error nor has it a search
  await redis.search({ text: 'x' })
  // @ts-expect-error by whatever name
  await redis.searchMessages({ text: 'x' })
  // @ts-expect-error in a tenant neither
  await redis.forTenant('acme').documents.list('n')
  // @ts-expect-error nor in a unit
  await redis.unitOfWork((unit) => unit.documents.list('n'))
  // @ts-expect-error nor in a unit of a tenant
  await redis.forTenant('acme').unitOfWork((unit) => unit.search({ text: 'x' }))
  // @ts-expect-error nor has a unit within one
  await redis.unitOfWork((unit) => unit.unitOfWork((inner) => inner.search({ text: 'x' })))
  await redis.events.on('*', () => {}).ready
  await redis.unitOfWork((unit) => unit.messages.list('c'))
  const sqlite = createBackend('sqlite', { databasePath: ':memory:' })
  // @ts-expect-error SQLite tells nobody
  sqlite.events.on('*', () => {})
  // @ts-expect-error nor does it limit
  sqlite.rateLimiter({ points: 1, duration: 1 })
  await sqlite.documents.get('n', 'd')
  const named = createBackend('redis://127.0.0.1')
  await named.documents.get('n', 'd')
  await named.search({ text: 'x' })
  named.events.on('*', () => {})
}

describe('what a memory lacks', () => {
  test('is known to the compiler where the backend is named, and not where a URL is given', () => {
    expect(typedByName).toBeTypeOf('function')
    expectTypeOf<MemoryOf<'redis'>['documents']>().toBeNever()
    expectTypeOf<MemoryOf<'redis'>['search']>().toBeNever()
    expectTypeOf<MemoryOf<'sqlite'>['events']>().toBeNever()
    expectTypeOf<MemoryOf<'postgresql'>['rateLimiter']>().toBeNever()
    expectTypeOf(createBackend('sqlite:./memory.db')).toEqualTypeOf<Memory>()
  })

  test('does not keep a memory from being handed on as one', () => {
    const takes = (memory: Memory): Memory['capabilities'] => memory.capabilities
    const redis = createBackend('redis')
    expect(takes(redis)).toMatchObject({ documents: false, textSearch: false, rateLimits: true })
    expect(takes(createBackend('sqlite', { databasePath: ':memory:' })).documents).toBe(true)
    expectTypeOf<MemoryOf<'redis'>>().toExtend<Memory>()
    expectTypeOf<ReturnType<MemoryOf<'redis'>['forTenant']>>().toExtend<TenantMemory>()
  })
})
