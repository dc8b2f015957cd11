import type { DistanceMetric } from '../../contract/embedder.js'
import { StorageError } from '../../errors.js'
import { meetsAll } from '../vector/conditions.js'
import { distanceOf } from '../vector/distance.js'
import type { Condition, NearestQuery, NearPoint } from '../vector/store.js'
import { whereOf } from './filters.js'
import { type Metadata, toPoint } from './metadata.js'
import { chunks, fetchPoints, get, onCollection, type Tenant } from './tenant.js'

/** Vectors that are compared here at a time. */
const CHUNK = 500

interface Queried {
  readonly ids: readonly (readonly string[])[]
  readonly distances?: readonly (readonly (number | null)[])[] | null
  readonly metadatas?: readonly (readonly (Metadata | null)[])[] | null
  readonly documents?: readonly (readonly (string | null)[])[] | null
}

/** Chroma's own: 1 - the product, or the square of the distance. */
function distance(metric: DistanceMetric, value: number | null | undefined): number {
  if (typeof value !== 'number') throw new StorageError('ChromaDB answered a distance that is no number')
  if (metric === 'euclidean') return Math.sqrt(Math.max(0, value))
  return metric === 'cosine' ? value : value - 1
}

/** What has expired or has no vector is left out here: each condition costs more than the question itself. */
const asked = (where: readonly Condition[]): readonly Condition[] =>
  where.filter((condition) => !('alive' in condition || 'embedded' in condition))

async function queried(tenant: Tenant, { kind, where, vector, limit }: NearestQuery): Promise<NearPoint[]> {
  const body = {
    query_embeddings: [Array.from(vector)],
    n_results: limit,
    where: whereOf(where),
    include: ['distances', 'metadatas', 'documents'],
  }
  const found = await onCollection<Queried>(tenant, kind, '/query', { body })
  const [ids = []] = found?.ids ?? []
  return ids.map((id, i) => ({
    point: toPoint(id, found?.metadatas?.[0]?.[i], found?.documents?.[0]?.[i]),
    distance: distance(tenant.metric, found?.distances?.[0]?.[i]),
  }))
}

/** Where points are much alike the engine's graph has islands, and it answers fewer than there are: all are compared then. */
async function filled(tenant: Tenant, query: NearestQuery): Promise<NearPoint[]> {
  const { kind, where, limit } = query
  const found = await queried(tenant, query)
  if (found.length >= limit) return found
  const { ids } = await get(tenant, kind, { where: whereOf(where), include: [], limit })
  return ids.length > found.length ? exactly(tenant, query) : found
}

/** The engine may answer what does not meet the conditions: these are left out, and more asked for. */
async function quick(tenant: Tenant, query: NearestQuery): Promise<NearPoint[]> {
  const { where, limit } = query
  const few = asked(where)
  const first = await filled(tenant, { ...query, where: few })
  const met = first.filter(({ point }) => meetsAll(point, where))
  if (met.length === limit || first.length < limit) return met
  // Where much has expired or has no vector, the engine finds the rest faster than a larger answer would.
  for (let wanted = limit; ; wanted *= 4) {
    const found = await filled(tenant, { ...query, limit: wanted })
    const all = found.filter(({ point }) => meetsAll(point, where))
    if (all.length >= limit || found.length < wanted) return all.slice(0, limit)
  }
}

function embeddingOf({ dimensions }: Tenant, values: readonly number[] | undefined): Float32Array {
  if (values?.length !== dimensions) throw new StorageError('ChromaDB answered a vector of another length')
  return Float32Array.from(values)
}

/** Every vector that meets the conditions is read and compared; the best are kept. */
async function exactly(tenant: Tenant, query: NearestQuery): Promise<NearPoint[]> {
  const { kind, where, vector, limit } = query
  const { ids } = await get(tenant, kind, { where: whereOf(where), include: [] })
  let best: { readonly key: string; readonly distance: number }[] = []
  for (const some of chunks(ids, CHUNK)) {
    const { ids: keys, embeddings } = await get(tenant, kind, { ids: some, include: ['embeddings'] })
    const near = keys.map((key, i) => ({
      key,
      distance: distanceOf(tenant.metric, embeddingOf(tenant, embeddings?.[i]), vector),
    }))
    best = [...best, ...near].sort((a, b) => a.distance - b.distance).slice(0, limit)
  }
  const points = await fetchPoints(
    tenant,
    kind,
    best.map(({ key }) => key),
  )
  const found = new Map(points.map((point) => [point.key, point]))
  return best.flatMap(({ key, distance: d }) => {
    const point = found.get(key)
    return point ? [{ point, distance: d }] : []
  })
}

export const nearestPoints = (tenant: Tenant, query: NearestQuery): Promise<NearPoint[]> =>
  query.exact ? exactly(tenant, query) : quick(tenant, query)
