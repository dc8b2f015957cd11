import type { DistanceMetric } from '../../contract/embedder.js'
import { StorageError } from '../../errors.js'
import { distanceOf } from '../vector/distance.js'
import type { Condition, NearestQuery, NearPoint } from '../vector/store.js'
import { whereOf } from './filters.js'
import { type Metadata, toPoint } from './metadata.js'
import { chunks, fetchPoints, get, read, type Tenant } from './tenant.js'

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

/** What has expired or has no vector is left to whoever asks: each condition costs more than the question itself. */
const asked = (where: readonly Condition[]): readonly Condition[] =>
  where.filter((condition) => !('alive' in condition || 'embedded' in condition))

async function quick(tenant: Tenant, { kind, where, vector, limit }: NearestQuery): Promise<NearPoint[]> {
  const found = await read<Queried>(tenant, kind, '/query', {
    query_embeddings: [Array.from(vector)],
    n_results: limit,
    where: whereOf(asked(where)),
    include: ['distances', 'metadatas', 'documents'],
  })
  const [ids = []] = found?.ids ?? []
  return ids.map((id, i) => ({
    point: toPoint(id, found?.metadatas?.[0]?.[i], found?.documents?.[0]?.[i]),
    distance: distance(tenant.metric, found?.distances?.[0]?.[i]),
  }))
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
      distance: distanceOf(tenant.metric, Float32Array.from(embeddings?.[i] ?? []), vector),
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
