import type { DistanceMetric } from '../../contract/embedder.js'
import { StorageError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import type { Condition, Point } from '../vector/store.js'
import type { ChromaClient } from './client.js'
import type { Collections } from './collections.js'
import { type Where, whereOf } from './filters.js'
import { type Metadata, toPoint } from './metadata.js'
import type { Turns } from './turns.js'

/** Where one tenant's points are. */
export interface Tenant {
  readonly client: ChromaClient
  readonly collections: Collections
  readonly tenantId: string
  readonly metric: DistanceMetric
  readonly dimensions: number
  /** Writers of this process to one collection, one after the other. */
  readonly turns: Turns
}

export interface Got {
  readonly ids: readonly string[]
  readonly metadatas?: readonly (Metadata | null)[] | null
  readonly documents?: readonly (string | null)[] | null
  readonly embeddings?: readonly (readonly number[])[] | null
}

const NOTHING: Got = { ids: [], metadatas: [], documents: [], embeddings: [] }

/** A read of a tenant's collection; undefined where it has none, or none any more. */
export async function read<T>(tenant: Tenant, kind: SearchKind, path: string, body: object): Promise<T | undefined> {
  const { client, collections, tenantId } = tenant
  const id = await collections.find(tenantId, kind)
  if (id === null) return undefined
  const answer = await client.collections<T>({ method: 'POST', body, accept: [404] }, `/${id}${path}`)
  if (answer === undefined) collections.forget(tenantId, kind)
  return answer
}

interface Get {
  readonly ids?: readonly string[]
  readonly where?: Where | undefined
  readonly include: readonly ('metadatas' | 'documents' | 'embeddings')[]
  readonly limit?: number
}

export async function get(tenant: Tenant, kind: SearchKind, asked: Get): Promise<Got> {
  const found = (await read<Got>(tenant, kind, '/get', asked)) ?? NOTHING
  if (!Array.isArray(found.ids)) throw new StorageError('ChromaDB answered something else than records')
  return found
}

export const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

export const pointsOf = ({ ids, metadatas, documents }: Got): Point[] =>
  ids.map((id, i) => toPoint(id, metadatas?.[i], documents?.[i]))

/** By their keys, in no order. */
export async function fetchPoints(tenant: Tenant, kind: SearchKind, keys: readonly string[]): Promise<Point[]> {
  const { batch } = tenant.client.abilities
  const found: Point[] = []
  for (const ids of chunks(keys, batch))
    found.push(...pointsOf(await get(tenant, kind, { ids, include: ['metadatas', 'documents'] })))
  return found
}

export async function countPoints(tenant: Tenant, kind: SearchKind, where: readonly Condition[]): Promise<number> {
  return (await get(tenant, kind, { where: whereOf(where), include: [] })).ids.length
}
