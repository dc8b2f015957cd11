import type { DistanceMetric } from '../../contract/embedder.js'
import { StorageError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import { meetsAll } from '../vector/conditions.js'
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
  /** Writers of this process to one point, one after the other. */
  readonly turns: Turns
}

export interface Got {
  readonly ids: readonly string[]
  readonly metadatas?: readonly (Metadata | null)[] | null
  readonly documents?: readonly (string | null)[] | null
  readonly embeddings?: readonly (readonly number[])[] | null
}

const NOTHING: Got = { ids: [], metadatas: [], documents: [], embeddings: [] }

interface Asked {
  readonly method?: 'GET' | 'POST'
  readonly body?: object
  readonly writes?: boolean
}

/**
 * A call to a tenant's collection; undefined where it has none. One that is gone is looked for again: somebody may have
 * made another one of the name, whose points must not be taken for none.
 */
export async function onCollection<T>(
  { client, collections, tenantId }: Tenant,
  kind: SearchKind,
  path: string,
  { method = 'POST', ...asked }: Asked,
): Promise<T | undefined> {
  for (let attempt = 1; attempt <= 2; attempt++) {
    const id = await collections.find(tenantId, kind)
    if (id === null) return undefined
    const { status, value } = await client.onCollection({ method, accept: [404], ...asked }, `/${id}${path}`)
    if (status !== 404) return value as T
    collections.forget(tenantId, kind)
  }
  return undefined
}

interface Get {
  readonly ids?: readonly string[]
  readonly where?: Where | undefined
  readonly include: readonly ('metadatas' | 'documents' | 'embeddings')[]
  readonly limit?: number
}

export async function get(tenant: Tenant, kind: SearchKind, asked: Get): Promise<Got> {
  const found = (await onCollection<Got>(tenant, kind, '/get', { body: asked })) ?? NOTHING
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

const FRACTIONS = ['importance', 'confidence']
const ofFraction = (condition: Condition): boolean => 'field' in condition && FRACTIONS.includes(condition.field)

export async function countPoints(tenant: Tenant, kind: SearchKind, where: readonly Condition[]): Promise<number> {
  if (where.length === 0) {
    const count = (await onCollection(tenant, kind, '/count', { method: 'GET' })) ?? 0
    if (typeof count !== 'number') throw new StorageError('ChromaDB answered something else than a count')
    return count
  }
  // Fractions that are nearly equal share a whole number in the engine: they are compared here.
  if (where.some(ofFraction)) return (await metadatasOf(tenant, kind, where)).length
  return (await get(tenant, kind, { where: whereOf(where), include: [] })).ids.length
}

/** What meets the conditions, those on the record's own metadata left out, without its content. */
export async function metadatasOf(
  tenant: Tenant,
  kind: SearchKind,
  where: readonly Condition[],
  more: readonly Where[] = [],
): Promise<Pick<Point, 'key' | 'fields'>[]> {
  const { ids, metadatas } = await get(tenant, kind, { where: whereOf(where, more), include: ['metadatas'] })
  return ids.map((key, i) => toPoint(key, metadatas?.[i], '')).filter((point) => meetsAll(point, where))
}
