import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Entry, FollowWrite, VectorStore } from '../../src/backends/vector/store.js'
import { failure } from '../conformance/expecting.js'
import '../support/seed.js'
import {
  entriesOf,
  FOLLOW_KINDS,
  gone,
  keyFor,
  live,
  newName,
  openStore,
  spread,
  type Told,
  tell,
  vectorOf,
} from './follow-stores.js'

const product = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)

type Step = { readonly key: number; readonly state: number; readonly dead: boolean }
/** Revisions of one record differ; some come together, in one call or in calls at the same moment. */
const step = fc.record({ key: fc.nat(4), state: fc.nat(5), dead: fc.boolean() })
const call = fc.record({ by: fc.nat(1), steps: fc.array(step, { minLength: 1, maxLength: 6 }) })
const rounds = fc.array(fc.array(call, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 })

describe.each(FOLLOW_KINDS)('$name follows', ({ remembers, start }) => {
  let server: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.stop())
  const open = (name?: string): Promise<VectorStore> => openStore(server.make, name)

  const one: Told = { tenantId: 'a', kind: 'memory', id: 'one', revision: 1 }
  const at = (revision: number): Told => ({ ...one, revision })

  /** What a record is found as, by every read. */
  async function seen(store: VectorStore, { tenantId, kind, id }: Told = one) {
    const scope = store.tenant(tenantId)
    const where = [{ field: 'id', in: [id] }] as const
    const [point, ...more] = await scope.fetch(kind, [keyFor({ tenantId, kind, id })])
    const page = await scope.page({ kind, where, order: [], descending: false, after: null, limit: 5 })
    const vector = vectorOf(point?.revision ?? 0)
    const near = await scope.nearest({ kind, where, vector, limit: 5, exact: true })
    expect(more).toEqual([])
    expect(page).toEqual(point ? [point] : [])
    expect(near.map((each) => each.point)).toEqual(page)
    for (const { distance } of near) expect(distance).toBeCloseTo(0, 5)
    expect(await scope.count(kind, where)).toBe(page.length)
    return point ?? null
  }

  it('whatever order records are told of in, how often and by whom, the highest revision is there, whole', {
    timeout: 240_000,
  }, async () => {
    const name = newName()
    const stores = [await open(name), await open(name)] as const
    let run = 0
    const written = (told: Told, user: string, dead: boolean) => (dead ? gone(told) : live(told, { user }))
    await fc.assert(
      fc.asyncProperty(rounds, async (all) => {
        const user = `run ${++run}`
        // Whether a revision of a record is its end is settled by who told of it first.
        const dead = new Map<string, boolean>()
        const model = new Map<string, { readonly told: Told; readonly dead: boolean }>()
        const toldOf = ({ key, state }: Step): Told => ({ ...one, id: `${user} ${key}`, revision: 1 + state * 5 + key })
        for (const calls of all)
          await Promise.all(
            calls.map(({ by, steps }) => {
              const of = steps.map((each) => {
                const told = toldOf(each)
                const place = `${told.id} ${told.revision}`
                dead.set(place, dead.get(place) ?? each.dead)
                return { told, dead: dead.get(place) as boolean }
              })
              for (const each of [...of].sort((a, b) => a.told.revision - b.told.revision)) {
                const last = model.get(each.told.id)
                const forgotten = !remembers && last?.dead && !of.some(({ told }) => told === last.told)
                if (!last || forgotten || last.told.revision <= each.told.revision) model.set(each.told.id, each)
              }
              const store = stores[remembers ? (by as 0 | 1) : 0]
              return store.tenant('a').follow(
                'memory',
                of.map((each) => written(each.told, user, each.dead)),
              )
            }),
          )
        const wanted = [...model.values()].filter((each) => !each.dead).map(({ told }) => live(told, { user }))
        const scope = stores[1].tenant('a')
        const keys = [0, 1, 2, 3, 4].map((key) => keyFor(toldOf({ key, state: 0, dead: false })))
        const byKey = <T extends { readonly key: string }>(points: T[]) =>
          points.sort((a, b) => (a.key < b.key ? -1 : 1))
        expect(byKey(await scope.fetch('memory', keys))).toEqual(byKey(wanted.map(({ point }) => point)))
        const where = [{ field: 'user', in: [user] }] as const
        const near = await scope.nearest({ kind: 'memory', where, vector: vectorOf(1), limit: 50, exact: true })
        expect(near).toHaveLength(wanted.length)
        for (const { point, vector } of wanted) {
          const found = near.find((each) => each.point.key === point.key)
          expect(found?.distance).toBeCloseTo(1 - product(vector, vectorOf(1)), 5)
        }
        for (const tag of ['odd', 'even'])
          expect(await scope.count('memory', [...where, { field: 'tags', in: [tag] }])).toBe(
            wanted.filter(({ point }) => point.fields.tags.includes(tag)).length,
          )
      }),
      { numRuns: 60 },
    )
  })

  it('what was deleted is nowhere, does not come back by what is older, and is whole by what is newer', async () => {
    const store = await open()
    const scope = store.tenant('a')
    await scope.follow('memory', [live(at(3), { namespace: 'n', expires: 5 })])
    expect(await seen(store)).toMatchObject({ revision: 3 })
    await scope.follow('memory', [gone(at(4))])
    expect(await seen(store)).toBeNull()
    expect(await scope.distinct('memory', 'namespace', [])).toEqual([])
    for await (const tenant of store.tenantsWithExpired(10)) expect.unreachable(tenant)
    expect(await entriesOf(store)).toEqual([])
    if (remembers) {
      await scope.follow('memory', [live(at(3))])
      expect(await seen(store)).toBeNull()
      expect(await entriesOf(store, 'a')).toEqual([])
    }
    for (const revision of [5, 7, 9]) {
      await scope.follow('memory', [live(at(revision))])
      expect(await seen(store)).toEqual(live(at(revision)).point)
      await scope.follow('memory', [gone(at(revision - 1))])
      expect(await seen(store)).toEqual(live(at(revision)).point)
      await scope.follow('memory', [gone(at(revision + 1))])
      expect(await seen(store)).toBeNull()
    }
  })

  it('of one record told of many times in one call, the highest revision counts', async () => {
    const store = await open()
    const told: FollowWrite[] = [live(at(2)), gone(at(5)), live(at(7)), live(at(6)), gone(at(1))]
    await store.tenant('a').follow('memory', told)
    expect(await seen(store)).toEqual(live(at(7)).point)
    await store.tenant('a').follow('memory', [])
  })

  it('told of the same revision again, the last counts, whatever else it is told with', async () => {
    const store = await open()
    const scope = store.tenant('a')
    const other = live({ ...one, id: 'other' })
    const { point, vector } = live(at(5))
    const again = { point: { ...point, rest: '{"seq":6}', fields: { ...point.fields, tags: ['again'] } }, vector }
    await scope.follow('memory', [live(at(5))])
    for (let round = 0; round < 2; round++) {
      await scope.follow('memory', [other, again])
      expect(await seen(store)).toEqual(again.point)
      await scope.follow('memory', [other, gone(at(5))])
      expect(await seen(store)).toBeNull()
    }
  })

  it('many at once, of which some are behind and some ahead of what is there', async () => {
    const store = await open()
    const all = Array.from({ length: 700 }, (_, i) => ({ ...one, id: `r${i}`, revision: 1000 + i }))
    const before = (told: Told, i: number): Told => ({ ...told, revision: [1, 999, 1200, 1650, 5000][i % 5] as number })
    await tell(store, all.map(before))
    const ends = (told: Told): boolean => told.revision % 3 === 0
    await tell(store, all, (told) => (ends(told) ? gone(told) : live(told)))
    const wanted = all.flatMap((told, i) => {
      const { revision } = before(told, i)
      if (revision > told.revision) return [[told.id, revision]]
      return ends(told) ? [] : [[told.id, told.revision]]
    })
    const found = (await entriesOf(store)).map(({ id, revision }) => [id, revision])
    expect(found.sort()).toEqual(wanted.sort())
    expect(await store.tenant('a').count('memory', [{ embedded: true }])).toBe(wanted.length)
  })

  it('what was deleted long ago is forgotten', async () => {
    const store = await open()
    await tell(store, [at(3), { ...at(3), tenantId: 'c' }], (told) => gone(told, 1000))
    await tell(store, [{ ...at(3), id: 'other' }], (told) => gone(told, 2000))
    expect(await store.forgetTombstones(1000)).toBe(0)
    expect(await store.forgetTombstones(1001)).toBe(remembers ? 2 : 0)
    expect(await store.forgetTombstones(1001)).toBe(0)
    await tell(store, [at(2), { ...at(2), tenantId: 'c' }])
    expect(await seen(store)).toMatchObject({ revision: 2 })
    expect(await seen(store, { ...one, tenantId: 'c' })).toMatchObject({ revision: 2 })
  })

  it('tells everything it has, once, while it is written to', { timeout: 120_000 }, async () => {
    const store = await open()
    const all = spread(3000, ['a', 'b', 'c'])
    await tell(store, all)
    const entryOf = ({ tenantId, kind, id, revision }: Told): Entry => {
      const scope = kind === 'memory' ? '' : 'scope'
      const key = keyFor({ tenantId, kind, id })
      return { tenantId, kind, key, revision, id, scope, rest: `{"seq":${revision}}` }
    }
    const sorted = (entries: readonly Entry[]) => entries.map((entry) => JSON.stringify(entry)).sort()
    expect(sorted((await entriesOf(store)).map(({ ...entry }) => entryOf(entry)))).toEqual(sorted(all.map(entryOf)))
    const keysOf = (some: readonly Told[]): string[] => some.map(keyFor)
    const ofB = all.filter(({ tenantId }) => tenantId === 'b')
    expect(new Set((await entriesOf(store, 'b')).map(({ key }) => key))).toEqual(new Set(keysOf(ofB)))
    expect(await entriesOf(store, 'd')).toEqual([])

    const leaving = all.filter((_, i) => i % 10 === 0)
    const staying = all.filter((_, i) => i % 10 !== 0)
    const writing = (async () => {
      for (let i = 0; i < 10; i++) {
        const some = leaving.slice(i * 30, i * 30 + 30)
        await tell(store, some, (told) => gone({ ...told, revision: 9000 }))
        await tell(
          store,
          some.map((told) => ({ ...told, id: `new ${told.id}`, revision: 9000 })),
        )
        await tell(
          store,
          staying.filter((_, j) => j % 10 === i).map((told) => ({ ...told, revision: 9000 })),
        )
      }
    })()
    let done = false
    const ended = writing.finally(() => {
      done = true
    })
    while (!done) {
      const told = (await entriesOf(store)).map(({ key }) => key)
      expect(new Set(told).size).toBe(told.length)
      expect(keysOf(staying).filter((key) => !told.includes(key))).toEqual([])
    }
    await ended
    const last = await entriesOf(store)
    expect(last).toHaveLength(3000)
    expect(new Set(last.map(({ revision }) => revision))).toEqual(new Set([9000]))
  })

  it('erases a tenant, what it remembers too, and leaves the others as they were', async () => {
    const name = newName()
    const [store, other] = [await open(name), await open(name)]
    const all = spread(90, ['a', 'b', 'c'])
    await tell(other, all)
    await tell(other, [at(500)], gone)
    await store.eraseTenant('a')
    await store.eraseTenant('nobody')
    expect((await entriesOf(store)).map(({ key }) => key).sort()).toEqual(
      all.flatMap((told) => (told.tenantId === 'a' ? [] : [keyFor(told)])).sort(),
    )
    // By a process that does not know of it.
    await tell(other, [at(2)])
    expect(await seen(store)).toMatchObject({ revision: 2 })
  })

  it('is dropped whole, and nothing that others have made', async () => {
    const name = newName()
    const [store, late] = [await open(name), await open(name)]
    const neighbour = await open(`${name}-2`)
    await tell(store, spread(9, ['a', 'b', 'c']))
    await tell(late, [at(2)])
    await tell(neighbour, [one])
    const { names, make, remove } = server.collections
    const others = [`${name}-${'0'.repeat(32)}`, `${name}.memory.${'0'.repeat(32)}`, `${name}x`]
    for (const each of others) await make(each)
    const ours = async () => (await names()).filter((each) => each.startsWith(name) && !each.startsWith(`${name}-2`))
    expect((await ours()).length).toBeGreaterThan(others.length)
    await store.drop()
    expect((await ours()).sort()).toEqual([...others].sort())
    expect(await seen(neighbour)).toMatchObject({ revision: 1 })
    expect(await failure(tell(late, [at(3)]))).not.toBeNull()
    expect(await failure(tell(late, [{ ...one, tenantId: 'new' }]))).not.toBeNull()
    expect((await ours()).sort()).toEqual([...others].sort())
    for (const each of others) await remove(each)
    expect(await entriesOf(await open(name))).toEqual([])
  })
})
