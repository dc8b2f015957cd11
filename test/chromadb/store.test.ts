import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChromaStore } from '../../src/backends/chromadb/store.js'
import type { OrderField, PageQuery, Point } from '../../src/backends/vector/store.js'
import { compareText } from '../../src/repository/matches.js'
import { refused } from '../conformance/expecting.js'
import { dropCollections, makeCollection, opened, pointOf, put, SPACE, shared, towards } from './points.js'

describe('what is written', () => {
  it('is answered as it was, and takes the place of what was there, facets and all', async () => {
    const store = (await opened()).tenant('a')
    const first = pointOf({ tags: ['x'], metadata: { page: 5, name: 'q' }, user: 'u', importance: 0.1 + 0.2 })
    await store.write('memory', [put(first)])
    expect(await store.fetch('memory', [first.key, first.key])).toEqual([first])
    const next = { ...first, fields: { ...first.fields, user: null, tags: ['y'], metadata: { page: 'five' } } }
    // Without a guard too: the server merges.
    await store.write('memory', [put(next)])
    expect(await store.fetch('memory', [first.key])).toEqual([next])
    expect(await store.count('memory', [{ field: 'tags', in: ['x'] }])).toBe(0)
    expect(await store.count('memory', [{ field: 'tags', in: ['y', 'z'] }])).toBe(1)
    expect(await store.count('memory', [{ field: 'user', in: ['u'] }])).toBe(0)
    expect(await store.page(listing({ where: [{ metadata: 'page', is: { gte: 3 } }] }))).toEqual([])
    expect(await store.page(listing({ where: [{ metadata: 'name', is: 'q' }] }))).toEqual([])
  })

  it('is refused by its guard alone, and the others of the batch are written', async () => {
    const store = (await opened()).tenant('a')
    const [there, fresh] = [pointOf(), pointOf()]
    await store.write('memory', [put(there, { guard: 'absent' })])
    const again = { ...there, content: 'again', revision: 2 }
    expect([
      ...(await store.write('memory', [put(again, { guard: 'absent' }), put(fresh, { guard: 'absent' })])),
    ]).toEqual([there.key])
    expect([...(await store.write('memory', [put(again, { guard: { revision: 7 } })]))]).toEqual([there.key])
    expect(await store.fetch('memory', [there.key])).toEqual([there])
    expect((await store.write('memory', [put(again, { guard: { revision: 1 } })])).size).toBe(0)
    expect(await store.fetch('memory', [there.key, fresh.key])).toHaveLength(2)
  })

  it('keeps its vector where that is asked for', async () => {
    const store = (await opened()).tenant('a')
    const point = pointOf()
    await store.write('memory', [put(point, { vector: towards(0, 1) })])
    await store.write('memory', [put({ ...point, content: 'new' }, { vector: 'keep' })])
    const [near] = await store.nearest(question({ vector: towards(0, 1) }))
    expect(near?.point.content).toBe('new')
    expect(near?.distance).toBeCloseTo(0, 6)
  })

  it('may be larger than the server takes at once', async () => {
    const store = (await opened()).tenant('a')
    const content = 'x'.repeat(200_000)
    await store.write(
      'document',
      Array.from({ length: 300 }, () => put(pointOf({}, { content }))),
    )
    expect(await store.count('document', [])).toBe(300)
  })

  it('and removed at the same moment does not come back', async () => {
    const store = (await opened()).tenant('a')
    for (let i = 0; i < 20; i++) {
      const point = pointOf()
      await store.write('memory', [put(point)])
      const change = store.write('memory', [put({ ...point, revision: 2 }, { guard: { revision: 1 } })])
      await new Promise((resolve) => setTimeout(resolve, i % 10))
      await Promise.all([change, store.remove('memory', [point.key])])
      expect(await store.fetch('memory', [point.key])).toEqual([])
    }
  })

  it('by writers side by side gets past one guard each', async () => {
    const store = (await opened()).tenant('a')
    const point = pointOf()
    await store.write('memory', [put(point)])
    const tries = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        store.write('memory', [put({ ...point, revision: 2 + i }, { guard: { revision: 1 } })]),
      ),
    )
    expect(tries.filter(({ size }) => size === 0)).toHaveLength(1)
  })
})

const listing = (more: Partial<PageQuery> = {}): PageQuery => ({
  kind: 'memory',
  where: [],
  order: [],
  descending: false,
  after: null,
  limit: 100,
  ...more,
})

const question = (more: object = {}) => ({
  kind: 'memory' as const,
  where: [],
  vector: towards(1),
  limit: 10,
  exact: false,
  ...more,
})

describe('conditions', () => {
  it('on numbers are not met by what has none', async () => {
    const store = (await opened()).tenant('a')
    await store.write('memory', [put(pointOf()), put(pointOf({ importance: 0, confidence: 0, position: -7 }))])
    for (const field of ['importance', 'confidence', 'position'] as const) {
      expect(await store.count('memory', [{ field, lte: 1 }]), field).toBe(1)
      expect(await store.count('memory', [{ field, gte: -8e15 }]), field).toBe(1)
    }
  })

  it('on fractions tell neighbours from one another', async () => {
    const store = (await opened()).tenant('a')
    const [low, high] = [0.1, 0.1 + 2 ** -56]
    expect(low < high).toBe(true)
    await store.write('memory', [put(pointOf({ importance: low }))])
    expect(await store.count('memory', [{ field: 'importance', gte: high }])).toBe(0)
    expect(await store.count('memory', [{ field: 'importance', lte: low }])).toBe(1)
    expect(await store.nearest(question({ where: [{ field: 'importance', gt: low }] }))).toEqual([])
  })

  it('with nothing to choose from are met by nothing', async () => {
    const store = (await opened()).tenant('a')
    await store.write('memory', [put(pointOf({ user: 'u', tags: ['x'], metadata: { a: 1 } }))])
    for (const empty of [
      { field: 'user', in: [] },
      { field: 'tags', in: [] },
      { metadata: 'a', is: { in: [] } },
    ] as const)
      expect(await store.page(listing({ where: [empty] }))).toEqual([])
  })

  it('of a removal are looked at in the removal', async () => {
    const store = (await opened()).tenant('a')
    const [ended, going] = [pointOf({ expires: 5 }), pointOf()]
    await store.write('memory', [put(ended), put(going)])
    await store.remove('memory', [ended.key, going.key, pointOf().key], [{ expired: 5 }])
    expect(await store.fetch('memory', [ended.key, going.key])).toEqual([going])
  })
})

describe('the nearest', () => {
  it('fill the limit though most have expired or have no vector', async () => {
    const store = (await opened()).tenant('a')
    const rows = Array.from({ length: 300 }, (_, i) =>
      i % 10 === 0
        ? put(pointOf({ id: `wanted${i}` }), { vector: towards(1, 1, i) })
        : put(pointOf(i % 2 ? { expires: 5 } : {}, i % 2 ? {} : { hash: null }), { vector: i % 2 ? towards(1) : null }),
    )
    await store.write('memory', rows)
    const where = [{ alive: 10 }, { embedded: true }] as const
    const near = async (exact: boolean) => {
      const found = await store.nearest(question({ where, limit: 20, exact }))
      return found.map(({ point }) => point.fields.id)
    }
    expect(await near(true)).toEqual(Array.from({ length: 20 }, (_, i) => `wanted${i * 10}`))
    const quick = await near(false)
    expect(new Set(quick).size).toBe(20)
    expect(quick.filter((id) => !id.startsWith('wanted'))).toEqual([])
  })

  it.each(['cosine', 'dot', 'euclidean'] as const)('have true distances by %s, quick and exact', async (metric) => {
    const store = (await opened({}, { ...SPACE, metric })).tenant('a')
    const [a, b] = [towards(1, 2, 3), towards(3, -1, 0.5)]
    await store.write('memory', [put(pointOf(), { vector: a })])
    const product = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0)
    const apart = Math.hypot(...a.map((value, i) => value - (b[i] as number)))
    const wanted = { cosine: 1 - product, dot: -product, euclidean: apart }[metric]
    for (const exact of [false, true])
      expect((await store.nearest(question({ vector: b, exact })))[0]?.distance).toBeCloseTo(wanted, 5)
  })
})

const ORDERS: readonly (readonly OrderField[])[] = [[], ['created'], ['position'], ['importance', 'created']]

describe('pages', () => {
  it('are those of a sorted list, in both directions, with ties and cursors', async () => {
    const store = (await opened()).tenant('a')
    const names = ['a', 'A', 'é', '\uff5e', '\u{1f600}', 'b', '', 'zz']
    const field = fc.record({
      importance: fc.constantFrom(null, 0, 0.5, 0.1 + 0.2, 1),
      created: fc.constantFrom(-5, 0, 3),
      position: fc.constantFrom(null, 1, 2),
      id: fc.constantFrom(...names),
    })
    const points = fc.sample(field, 60).map((fields, i) => pointOf({ ...fields, id: `${fields.id}${i % 20}` }))
    await store.write(
      'memory',
      points.map((point) => put(point)),
    )
    const values = ({ fields }: Point, order: readonly OrderField[]) => order.map((name) => fields[name] ?? 0)
    for (const order of ORDERS)
      for (const descending of [false, true]) {
        const sorted = [...points].sort((a, b) => {
          const [x, y] = [values(a, order), values(b, order)]
          const first = x.findIndex((value, i) => value !== y[i])
          const difference = first < 0 ? compareText(a.fields.id, b.fields.id) : (x[first] ?? 0) - (y[first] ?? 0)
          return descending ? -difference : difference
        })
        const places = sorted.map((point) => ({ values: values(point, order), id: point.fields.id }))
        for (const at of [null, 0, 13, 30, 58]) {
          const after = at === null ? null : (places[at] ?? null)
          // What is equal in everything is behind its equals.
          const from = after === null ? 0 : places.findLastIndex((place) => `${inspect(place)}` === inspect(after)) + 1
          const page = await store.page(listing({ order, descending, after, limit: 9 }))
          expect(
            page.map((point) => ({ values: values(point, order), id: point.fields.id })),
            `${order} ${descending} ${at}`,
          ).toEqual(places.slice(from, from + 9))
        }
      }
  })
})

describe('collections', () => {
  it('are of one tenant and kind each, and reads make none', async () => {
    const options = shared()
    const store = await opened(options)
    const point = pointOf()
    await store.tenant('a').write('memory', [put(point)])
    expect(await store.tenant('A').fetch('memory', [point.key])).toEqual([])
    expect(await store.tenant('a').count('document', [])).toBe(0)
    await store.tenant('A').remove('memory', [point.key])
    expect(await store.tenant('a').fetch('memory', [point.key])).toEqual([point])
    expect(await dropCollections(`${options.collectionName}.`)).toBe(1)
  })

  it('that somebody has deleted, or made anew, are looked for again', async () => {
    const options = shared()
    const [one, other] = [(await opened(options)).tenant('a'), (await opened(options)).tenant('a')]
    const point = pointOf()
    for (const use of [
      async () => expect(await other.count('memory', [])).toBe(1),
      async () => expect(await other.fetch('memory', [point.key])).toEqual([point]),
      async () => expect(await other.nearest(question())).toHaveLength(1),
      async () => {
        await other.remove('memory', [point.key])
        expect(await one.fetch('memory', [point.key])).toEqual([])
      },
    ]) {
      await other.count('memory', [])
      await dropCollections(`${options.collectionName}.`)
      await one.write('memory', [put(point)])
      await use()
      await other.count('memory', [])
    }
    await dropCollections(`${options.collectionName}.`)
    expect(await other.count('memory', [])).toBe(0)
  })

  it('of somebody else, of another space or database, are refused with the way out', async () => {
    const options = shared()
    await makeCollection(options.collectionName as string)
    const opening = (given: object, space = SPACE) =>
      new ChromaStore({ ...options, ...given }).open(space, async () => 4)
    expect((await refused(opening({}), 'configuration')).message).toContain('collectionName')
    const own = shared()
    await opened(own)
    for (const other of [{ model: 'n' }, { provider: 'p' }, { dimensions: 5 }, { metric: 'dot' as const }])
      await refused(opening(own, { ...SPACE, ...other }), 'configuration')
    const error = await refused(opening({ ...shared(), chromaDatabase: 'none' }), 'configuration')
    expect(error.message).toContain('chromaDatabase')
    for (const collectionName of ['', 'ab', 'a/b', '-ab', 'a'.repeat(441)])
      expect(() => new ChromaStore({ collectionName })).toThrow('collectionName')
    expect(() => new ChromaStore({ persistDirectory: 'x', port: 1 })).toThrow('persistDirectory')
  })

  it('tell the tenants that have something expired, and nothing after the end', async () => {
    const store = await opened()
    await store.tenant('ended').write('memory', [put(pointOf({ expires: 5 }))])
    await store.tenant('going').write('document', [put(pointOf({ expires: 500 }))])
    const tenants: string[] = []
    for await (const tenant of store.tenantsWithExpired(10)) tenants.push(tenant)
    expect(tenants).toEqual(['ended'])
    await store.close()
    await refused(store.tenant('going').count('document', []), 'closed')
    await refused(store.ping(), 'closed')
  })
})
