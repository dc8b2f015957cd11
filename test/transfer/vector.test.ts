import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Backend } from '../../src/contract/backend.js'
import { unitVector } from '../../src/embeddings/unit.js'
import { encodeVector } from '../../src/embeddings/vector.js'
import { refused } from '../conformance/expecting.js'
import { MODEL_DIMENSIONS, wordModel } from '../conformance/vectors-fixtures.js'
import { type OpenEnd, openEnd, sinkOf, sourceOf } from './support/vector-ends.js'
import {
  ALL,
  batches,
  byName,
  FILLED,
  FILLED_ALL,
  fill,
  IDS,
  move,
  readAll,
  TENANTS,
} from './support/vector-records.js'

const NAMES = ['qdrant', 'chromadb'] as const
type Name = (typeof NAMES)[number]

const OPTIONS = { embeddingFunction: wordModel(), distanceMetric: 'dot' }
const urlOf = (name: Name): string => inject('servers')[name === 'qdrant' ? 'QDRANT_URL' : 'CHROMA_URL']
const ends: OpenEnd[] = []

async function fresh(name: Name, options: object = {}): Promise<OpenEnd> {
  const end = await openEnd(name, urlOf(name), { ...OPTIONS, ...options })
  ends.push(end)
  return end
}

const filled = {} as Record<Name, OpenEnd>
const source = (name: Name) => sourceOf(filled[name].backend)

beforeAll(async () => {
  for (const name of NAMES) {
    filled[name] = await fresh(name)
    await fill(filled[name].memory())
  }
})

afterAll(async () => {
  for (const end of ends) await end.remove()
})

/** By the position of its key in the batches: the same each time. */
const told = async (backend: Backend, reading: Parameters<typeof readAll>[1] = {}) =>
  byName(await readAll(sourceOf(backend), reading))

describe.each(NAMES)('%s is read', (name) => {
  it('whole: all kinds, tenants, conversations and namespaces, what has expired too', async () => {
    const all = await readAll(source(name))
    expect(all).toHaveLength(FILLED_ALL)
    expect(Object.keys(byName(all))).toHaveLength(FILLED_ALL)
    expect(all.filter(({ fault }) => fault !== undefined)).toEqual([])
    expect(await sinkOf(filled[name].backend).count(ALL)).toBe(FILLED_ALL)
  })

  it('with every field as the API answers it, and what stands beside the record', async () => {
    const memory = filled[name].memory().forTenant(TENANTS[1] as string)
    const all = Object.values(await told(filled[name].backend))
    const of = (kind: string, id: string, scope: string) =>
      all.find(({ kind: k, record }) => {
        const { tenantId, conversationId, namespace, id: own } = record as unknown as Record<string, unknown>
        const at = k === 'memory' ? '' : (conversationId ?? namespace)
        return k === kind && tenantId === TENANTS[1] && own === id && at === scope
      })
    for (const id of IDS) {
      const message = of('message', id, 'c:{d}% é')
      expect(message?.record).toEqual(await memory.messages.get('c:{d}% é', id))
      expect(message?.holder).toBe('user 2:é')
      expect(of('memory', id, '')?.record).toEqual(await memory.memories.get(id, { includeExpired: true }))
      expect(of('memory', id, '')?.holder).toBeUndefined()
    }
    expect(of('message', 'a', 'c')).toMatchObject({ record: { content: 'changed to a cello', version: 2 } })
    expect(of('message', 'parts', 'c')).toMatchObject({ vector: null, hash: null })
    expect(of('memory', IDS[4] as string, '')).toMatchObject({ hash: '' })
    expect(of('memory', IDS[1] as string, '')?.hash).toMatch(/^[0-9a-f]{64}$/)
  })

  it('the same twice, and the same by other ranges and batches', async () => {
    const first = await readAll(source(name))
    expect(await readAll(source(name))).toEqual(first)
    const other = await readAll(source(name), { limits: { records: 3, bytes: 1 }, records: 1000 })
    expect(byName(other)).toEqual(byName(first))
  })

  it('in batches that end with the record that reaches a limit', async () => {
    for await (const { batch } of batches(source(name), { limits: { records: 3, bytes: 1_000_000 } }))
      expect(batch.records.length).toBeLessThanOrEqual(3)
    for await (const { batch } of batches(source(name), { limits: { records: 50, bytes: 1 } })) {
      expect(batch.records).toHaveLength(1)
      expect(batch.bytes).toBeGreaterThan(1)
    }
  })

  it('on from exactly behind any batch', async () => {
    const limits = { records: 5, bytes: 1_000_000 }
    const wanted = byName(await readAll(source(name)))
    for (const range of await source(name).ranges(ALL, 60)) {
      const seen: { cursor: string; count: number }[] = []
      const whole = []
      for await (const { records, cursor } of source(name).read(range, { after: null, limits })) {
        whole.push(...records)
        seen.push({ cursor, count: whole.length })
      }
      for (const { cursor, count } of seen) {
        const rest = []
        // By another reader, as after a restart.
        for await (const { records } of source(name).read(range, { after: cursor, limits })) rest.push(...records)
        expect(rest).toEqual(whole.slice(count))
      }
      expect(wanted).toMatchObject(byName(whole))
    }
  })

  it('in ranges of about as many records as are asked for, in the order of kinds', async () => {
    const ranges = await source(name).ranges(ALL, 20)
    expect(ranges.reduce((sum, { records }) => sum + records, 0)).toBeCloseTo(FILLED_ALL, -1)
    expect(Math.max(...ranges.map(({ records }) => records))).toBeLessThanOrEqual(20)
    expect([...new Set(ranges.map(({ kind }) => kind))]).toEqual(['message', 'memory', 'document'])
    const [message] = ranges
    expect(message).toMatchObject({ from: null })
    expect(await source(name).ranges({ kinds: ['user', 'session'] }, 20)).toEqual([])
    expect(await source(name).ranges({ kinds: ['memory'] }, 1000)).toHaveLength(1)
  })

  it('of one tenant only', async () => {
    const scope = { ...ALL, tenantId: TENANTS[0] as string }
    const all = await readAll(source(name), { scope })
    expect(all).toHaveLength(FILLED_ALL / 2)
    expect(new Set(all.map(({ record }) => record.tenantId))).toEqual(new Set([TENANTS[0]]))
    expect(await sinkOf(filled[name].backend).count({ kinds: ['memory'], tenantId: TENANTS[0] })).toBe(FILLED.memory)
    expect(await readAll(source(name), { scope: { ...ALL, tenantId: 'nobody' } })).toEqual([])
  })

  it('without being opened by its model, and without making anything', async () => {
    const reader = await filled[name].asIs()
    expect(await reader.describe()).toEqual(await source(name).describe())
    expect(await readAll(reader)).toEqual(await readAll(source(name)))
    expect(await reader.fingerprint(ALL)).toBe(await source(name).fingerprint(ALL))
    await reader.close()
    await refused(reader.ranges(ALL, 10), 'closed')
    expect((await refused(filled[name].asIs('not-there'), 'configuration')).message).toContain('not-there')
    // It still is not there.
    await refused(filled[name].asIs('not-there'), 'configuration')
  })

  it('and says what it is, without secrets', async () => {
    const { hostname, port } = new URL(urlOf(name))
    const side = await source(name).describe()
    expect(side).toMatchObject({
      backend: name,
      schema: null,
      kinds: ['message', 'memory', 'document'],
      positions: 'clock',
      space: { provider: 'custom', model: 'words', dimensions: MODEL_DIMENSIONS, metric: 'dot' },
    })
    expect(side.place).toContain(`${hostname}:${port}/`)
    expect(side.place.endsWith(filled[name].collection)).toBe(true)
    expect(side).not.toHaveProperty('vectors')
    expect(await sinkOf(filled[name].backend).describe()).toEqual(side)
  })

  it('with a fingerprint that differs after every kind of write in its scope, and after no other', async () => {
    const end = await fresh(name)
    const memory = end.memory()
    const one = sourceOf(end.backend)
    const seen = new Set<string>()
    const look = async () => {
      const print = await one.fingerprint({ ...ALL, tenantId: 'a' })
      expect(await one.fingerprint({ ...ALL, tenantId: 'a' })).toBe(print)
      return print
    }
    const { memories, documents } = memory.forTenant('a')
    const works = [
      () => memories.add({ id: 'm', userId: 'u', content: 'walnut' }),
      () => memories.update('m', { importance: 0.6 }),
      () => memories.recall({ limit: 1 }),
      () => documents.upsert([{ namespace: 'n', id: 'd', content: 'x' }]),
      () => memories.delete('m'),
    ]
    seen.add(await look())
    for (const work of works) {
      await work()
      seen.add(await look())
    }
    expect(seen.size).toBe(works.length + 1)
    const last = await look()
    await memory.forTenant('b').memories.add({ userId: 'u', content: 'walnut' })
    expect(await look()).toBe(last)
  })
})

const PAIRS = NAMES.flatMap((from) => NAMES.map((to) => [from, to] as const))

describe.each(PAIRS)('%s → %s', (from, to) => {
  it('arrives record for record and bit for bit, once however often it is written', async () => {
    const target = await fresh(to)
    const outcome = await move(source(from), sinkOf(target.backend))
    expect(outcome).toEqual({ written: FILLED_ALL, present: 0, refused: [] })
    const wanted = await told(filled[from].backend)
    expect(await told(target.backend)).toEqual(wanted)
    const again = await move(source(from), sinkOf(target.backend), { limits: { records: 3, bytes: 1_000_000 } })
    expect(again).toEqual({ written: 0, present: FILLED_ALL, refused: [] })
    expect(await told(target.backend)).toEqual(wanted)
  })

  it('of a space whose lengths do not count: vectors at length 1, and from there bit for bit', async () => {
    const [first, second] = [
      await fresh(from, { distanceMetric: 'cosine' }),
      await fresh(to, { distanceMetric: 'cosine' }),
    ]
    const given = Float32Array.from({ length: MODEL_DIMENSIONS }, (_, i) => [-0, 1e-40, 3e38, 0.1][i % 4] as number)
    await fill(first.memory())
    await first.memory().documents.upsert([{ namespace: 'n', id: 'own', content: 'x', vector: given }])
    expect((await sourceOf(first.backend).describe()).vectors).toBe('unit')
    expect(await move(sourceOf(first.backend), sinkOf(second.backend))).toMatchObject({ written: FILLED_ALL + 1 })
    const arrived = await told(second.backend)
    expect(arrived).toEqual(await told(first.backend))
    const own = Object.values(arrived).find(({ record }) => record.tenantId === 'default')
    expect(own?.vector).toBe(Buffer.from(encodeVector(unitVector(given))).toString('hex'))
  })
})
