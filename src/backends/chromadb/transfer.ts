import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import type { PointWrite } from '../vector/store.js'
import type { PointPlace, PointReader, StoredPoint, TenantWrite, TransferEngine } from '../vector/transfer-engine.js'
import type { Collections } from './collections.js'
import type { Metadata } from './metadata.js'
import { chunks, countPoints, type Got, get, type Tenant } from './tenant.js'
import { mostOf, writePoints } from './write.js'

/** Points of one page: the server may give more, and its time would grow beyond that of a call. */
const MOST = 500
/** Tenants that are written to at a time: each has collections of its own. */
const AT_ONCE = 3

/** A text as it stands in the metadata, see `textValue`. */
const unmarked = (value: unknown): unknown =>
  typeof value === 'string' && value.startsWith('=') ? value.slice(1) : undefined

function pointsOf(tenantId: string, kind: SearchKind, found: Got): StoredPoint[] {
  const { ids, metadatas, documents, embeddings } = found
  return ids.map((key, i) => {
    const { id, user, conversation, namespace, rest, hash }: Metadata = metadatas?.[i] ?? {}
    return {
      key,
      tenantId,
      id: unmarked(id),
      scope: unmarked(kind === 'message' ? conversation : namespace),
      user: unmarked(user),
      content: documents?.[i],
      rest,
      hash: unmarked(hash),
      vector: embeddings?.[i] ?? null,
    }
  })
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The place of the first key behind this one. */
function placeBehind(keys: readonly string[], after: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] as string) <= after) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The keys are read first, all together, 36 bytes each: pages by number would shift under writes, and the engine has no
 * other.
 */
async function readerOf(tenant: Tenant, kind: SearchKind): Promise<PointReader> {
  const { ids } = await get(tenant, kind, { include: [] })
  const keys = [...ids].sort(compare)
  return async (after, limit) => {
    const at = after === null ? 0 : placeBehind(keys, after)
    const wanted = keys.slice(at, at + limit)
    if (wanted.length === 0) return { points: [], last: null }
    const found = await get(tenant, kind, { ids: wanted, include: ['metadatas', 'documents', 'embeddings'] })
    const points = pointsOf(tenant.tenantId, kind, found).sort((a, b) => compare(a.key, b.key))
    return { points, last: at + wanted.length < keys.length ? (wanted.at(-1) as string) : null }
  }
}

const placeIn = (tenant: Tenant, kind: SearchKind): PointPlace => ({
  name: tenant.tenantId,
  count: () => countPoints(tenant, kind, []),
  open: () => readerOf(tenant, kind),
  async *revisions() {
    const { ids } = await get(tenant, kind, { include: [] })
    for (const some of chunks(ids, mostOf(tenant))) {
      const { metadatas } = await get(tenant, kind, { ids: some, include: ['metadatas'] })
      yield (metadatas ?? []).map((metadata) => metadata?.revision)
    }
  },
})

/** ChromaDB's end of a transfer. */
export function transferEngine(
  collections: Collections,
  tenant: (tenantId: string) => Tenant,
  place: string,
): TransferEngine {
  const places = async (kind: SearchKind, tenantId: string | undefined): Promise<PointPlace[]> => {
    if (tenantId !== undefined) return [placeIn(tenant(tenantId), kind)]
    const all: PointPlace[] = []
    for await (const each of collections.tenants([kind])) all.push(placeIn(tenant(each), kind))
    return all
  }
  return {
    place,
    most: MOST,
    places,
    async sample() {
      for await (const tenantId of collections.tenants())
        for (const kind of SEARCH_KINDS) {
          const { metadatas } = await get(tenant(tenantId), kind, { include: ['metadatas'], limit: 1 })
          if (metadatas?.[0]) return { kind, rest: metadatas[0].rest }
        }
      return null
    },
    async put(kind, writes) {
      const groups = [...byTenant(writes)]
      const there = new Set<string>()
      const work = async (): Promise<void> => {
        for (let group = groups.shift(); group; group = groups.shift())
          for (const key of await writePoints(tenant(group[0]), kind, group[1])) there.add(key)
      }
      await allOf(Array.from({ length: AT_ONCE }, work))
      return there
    },
  }
}

/** Waits for all, so that nothing is under way any more when it fails. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === 'rejected')
  if (failed) throw (failed as PromiseRejectedResult).reason
}

function byTenant(writes: readonly TenantWrite[]): Map<string, PointWrite[]> {
  const groups = new Map<string, PointWrite[]>()
  for (const { tenantId, write } of writes) {
    const group = groups.get(tenantId)
    if (group) group.push(write)
    else groups.set(tenantId, [write])
  }
  return groups
}
