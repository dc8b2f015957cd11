import { encodeVector } from '../../embeddings/vector.js'
import type { SearchKind } from '../../model/records.js'
import type { Condition, Guard, PointWrite } from '../vector/store.js'
import { whereOf } from './filters.js'
import { type Metadata, toMetadata } from './metadata.js'
import { chunks, get, type Tenant } from './tenant.js'

/** Points of one request: the server may take more, and its time would grow beyond that of a call. */
const MOST_POINTS = 500

interface Stored extends Pick<PointWrite, 'point' | 'vector'> {
  readonly metadata: Metadata
}

function refuses(guard: Guard, there: Metadata | undefined): boolean {
  if (guard === null) return false
  return guard === 'absent' ? there !== undefined : there?.revision !== guard.revision
}

/** A point without a vector has one in the engine all the same, which nobody is told of. */
function vectorOf({ dimensions }: Tenant, vector: PointWrite['vector']): Float32Array {
  if (vector instanceof Float32Array) return vector
  const placeholder = new Float32Array(dimensions)
  placeholder[0] = 1
  return placeholder
}

async function send(tenant: Tenant, kind: SearchKind, path: '/upsert' | '/update', rows: readonly Stored[]) {
  const { client, collections, tenantId } = tenant
  const { batch, base64 } = client.abilities
  const encode = (vector: Float32Array) => (base64 ? encodeVector(vector).toString('base64') : Array.from(vector))
  for (const some of chunks(rows, Math.min(batch, MOST_POINTS))) {
    const body = JSON.stringify({
      ids: some.map(({ point }) => point.key),
      metadatas: some.map(({ metadata }) => metadata),
      documents: some.map(({ point }) => point.content),
      ...(path === '/upsert' && { embeddings: some.map(({ vector }) => encode(vectorOf(tenant, vector))) }),
    })
    for (let attempt = 1; ; attempt++) {
      const id = await collections.ensure(tenantId, kind)
      const accept = attempt === 1 ? [404] : []
      const { status } = await client.onCollection({ method: 'POST', body, accept, writes: true }, `/${id}${path}`)
      if (status !== 404) break
      // Somebody has deleted the collection: it is made again.
      collections.forget(tenantId, kind)
    }
  }
}

/** What is there of the points that are written over. */
async function metadataOf(tenant: Tenant, kind: SearchKind, keys: readonly string[]): Promise<Map<string, Metadata>> {
  const there = new Map<string, Metadata>()
  for (const ids of chunks(keys, tenant.client.abilities.batch)) {
    const found = await get(tenant, kind, { ids, include: ['metadatas'] })
    for (const [i, id] of found.ids.entries()) there.set(id, found.metadatas?.[i] ?? {})
  }
  return there
}

async function write(tenant: Tenant, kind: SearchKind, writes: readonly PointWrite[]): Promise<ReadonlySet<string>> {
  // What is put there without a guard is new: nothing of it is there that the server could merge.
  const guarded = writes.filter(({ guard, vector }) => guard !== null || vector === 'keep')
  const keys = guarded.map(({ point }) => point.key)
  const there = keys.length > 0 ? await metadataOf(tenant, kind, keys) : new Map<string, Metadata>()
  const refused = new Set<string>()
  const rows: Stored[] = []
  for (const { point, vector, guard } of writes) {
    const before = there.get(point.key)
    if (refuses(guard, before)) refused.add(point.key)
    else rows.push({ point, vector, metadata: toMetadata(point, before ?? null) })
  }
  const kept = rows.filter(({ vector }) => vector === 'keep')
  const whole = rows.filter(({ vector }) => vector !== 'keep')
  if (whole.length > 0) await send(tenant, kind, '/upsert', whole)
  if (kept.length > 0) await send(tenant, kind, '/update', kept)
  return refused
}

/**
 * Writes points and answers the keys that their guard refused. The engine has no conditional write: what is there is
 * looked at before, and writers of this process wait for one another; those of others are not noticed in between.
 */
export function writePoints(
  tenant: Tenant,
  kind: SearchKind,
  writes: readonly PointWrite[],
): Promise<ReadonlySet<string>> {
  if (writes.every(({ guard }) => guard === null)) return write(tenant, kind, writes)
  return tenant.turns.run(JSON.stringify([tenant.tenantId, kind]), () => write(tenant, kind, writes))
}

export async function removePoints(
  tenant: Tenant,
  kind: SearchKind,
  keys: readonly string[],
  where: readonly Condition[],
): Promise<void> {
  const { client, collections, tenantId } = tenant
  const id = await collections.find(tenantId, kind)
  if (id === null) return
  for (const ids of chunks(keys, Math.min(client.abilities.batch, MOST_POINTS))) {
    const body = { ids, where: whereOf(where) }
    await client.onCollection({ method: 'POST', body, accept: [404], writes: true }, `/${id}/delete`)
  }
}
