import { StorageError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import type { PointWrite } from '../vector/store.js'
import type { PointPlace, PointReader, StoredPoint, TenantWrite, TransferEngine } from '../vector/transfer-engine.js'
import type { Clause } from './filters.js'
import { ask, type Place } from './place.js'
import type { Scrolled, Stored } from './read.js'
import type { Tenants } from './tenants.js'
import { refusedOf, shardText, upsert } from './write.js'

/** Points of one page, with their vectors. */
const MOST = 1000
/** Revisions of one page. */
const PAGE = 10_000
/** What of a payload a record is made of. */
const READ = ['tenant', 'id', 'user', 'conversation', 'namespace', 'content', 'rest', 'hash']

/** The next key: the server begins a page with the key that it is given, which may be no point's. */
function behind(key: string): string {
  const number = BigInt(`0x${key.replaceAll('-', '')}`) + 1n
  return number.toString(16).padStart(32, '0')
}

function pointOf(kind: SearchKind, { id, payload, vector }: Stored): StoredPoint {
  const { tenant, conversation, namespace, ...rest } = payload ?? {}
  return {
    key: String(id),
    tenantId: tenant,
    id: rest.id,
    scope: kind === 'message' ? conversation : namespace,
    user: rest.user,
    content: rest.content,
    rest: rest.rest,
    hash: rest.hash,
    // Of what has none, it is an object.
    vector: Array.isArray(vector) ? vector : null,
  }
}

async function scroll(place: Place, body: object): Promise<Scrolled> {
  const page = (await ask<Scrolled>(place, '/scroll', body)) ?? {}
  if (page.points !== undefined && !Array.isArray(page.points))
    throw new StorageError('Qdrant answered something else than points')
  return page
}

const is = (key: string, value: string): Clause => ({ key, match: { value } })

function placeIn(place: Place, kind: SearchKind, tenantId: string | undefined): PointPlace {
  const filter = { must: [...(tenantId === undefined ? [] : [is('tenant', tenantId)]), is('kind', kind)] }
  const reader: PointReader = async (after, limit) => {
    const offset = after === null ? null : behind(after)
    const page = await scroll(place, { filter, limit, offset, with_payload: READ, with_vector: true })
    const points = (page.points ?? []).map((stored) => pointOf(kind, stored))
    return { points, last: page.next_page_offset == null ? null : (points.at(-1)?.key ?? null) }
  }
  return {
    name: place.collection,
    open: async () => reader,
    async count() {
      const answer = await ask<{ readonly count?: unknown }>(place, '/count', { filter, exact: true })
      return typeof answer?.count === 'number' ? answer.count : 0
    },
    async *revisions() {
      for (let offset: unknown = null; ; ) {
        const page = await scroll(place, { filter, limit: PAGE, offset, with_payload: ['revision'] })
        yield (page.points ?? []).map(({ payload }) => payload?.revision)
        offset = page.next_page_offset ?? null
        if (offset === null) return
      }
    },
  }
}

/** Writes points of one collection where nothing is, whosever they are. */
async function putIn(place: Place, kind: SearchKind, writes: readonly TenantWrite[]): Promise<ReadonlySet<string>> {
  const tenants = new Map<PointWrite, TenantWrite>(writes.map((each) => [each.write, each]))
  const points = [...tenants.keys()]
  await place.prepare()
  await upsert(place, kind, points, true, (write) => tenants.get(write) as TenantWrite)
  return refusedOf(place, points)
}

/** Writes by where they go: a collection, and a shard of it. */
function byPlace(tenants: Tenants, writes: readonly TenantWrite[]): Iterable<{ place: Place; some: TenantWrite[] }> {
  const known = new Map<string, { place: Place; some: TenantWrite[] }>()
  const groups = new Map<string, { place: Place; some: TenantWrite[] }>()
  for (const each of writes) {
    let group = known.get(each.tenantId)
    if (!group) {
      const place = tenants.place(each.tenantId)
      const name = `${place.collection}${shardText(place)}`
      group = groups.get(name) ?? { place, some: [] }
      groups.set(name, group)
      known.set(each.tenantId, group)
    }
    group.some.push(each)
  }
  return groups.values()
}

/** Qdrant's end of a transfer: pages in the order of keys, writes that the server makes where nothing is. */
export const transferEngine = (tenants: Tenants, place: string): TransferEngine => ({
  place,
  most: MOST,
  places: async (kind, tenantId) => (await tenants.holding(tenantId)).map((each) => placeIn(each, kind, tenantId)),
  async sample() {
    for (const each of await tenants.holding(undefined)) {
      const { points = [] } = await scroll(each, { limit: 1, with_payload: ['kind', 'rest'] })
      const [first] = points
      if (first) return { kind: first.payload?.kind, rest: first.payload?.rest }
    }
    return null
  },
  async put(kind, writes) {
    const there = new Set<string>()
    for (const { place: each, some } of byPlace(tenants, writes))
      for (const key of await putIn(each, kind, some)) there.add(key)
    return there
  },
})
