import { createHash } from 'node:crypto'
import { encodeVector, normalize } from '../../embeddings/vector.js'
import type { SearchKind } from '../../model/records.js'
import type { Condition, Guard, PointWrite } from '../vector/store.js'
import { type Where, whereOf } from './filters.js'
import { type Metadata, toMetadata } from './metadata.js'
import { chunks, get, onCollection, type Tenant } from './tenant.js'

/** Points of one request: the server may take more, and its time would grow beyond that of a call. */
const MOST_POINTS = 500
/** Of one request: servers refuse more than 40 MB. A point that is larger goes by itself. */
const MOST_BYTES = 8 * 1024 * 1024

/** Records of one request. */
export const mostOf = ({ client }: Tenant): number => Math.min(client.abilities.batch, MOST_POINTS)

/** A point as JSON. */
interface Row {
  readonly id: string
  readonly metadata: string
  readonly document: string
  readonly embedding: string
}

function refuses(guard: Guard, there: Metadata | undefined): boolean {
  if (guard === null) return false
  return guard === 'absent' ? there !== undefined : there?.revision !== guard.revision
}

/**
 * A point without a vector has one in the engine all the same, which nobody is told of: a direction of its own, because
 * the engine's graph falls apart where many are the same, and then finds others no more.
 */
function placeholder({ dimensions }: Tenant, key: string): Float32Array {
  let state = createHash('sha256').update(key).digest().readUInt32LE(0)
  return normalize(
    Float32Array.from({ length: dimensions }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 31 - 1 || 1
    }),
  )
}

function embeddingOf(tenant: Tenant, { point, vector: given }: Pick<PointWrite, 'point' | 'vector'>): string {
  if (given === 'keep') return ''
  const vector = given ?? placeholder(tenant, point.key)
  return JSON.stringify(tenant.client.abilities.base64 ? encodeVector(vector).toString('base64') : Array.from(vector))
}

export const toRow = (tenant: Tenant, write: Pick<PointWrite, 'point' | 'vector'>, before: Metadata | null): Row => ({
  id: JSON.stringify(write.point.key),
  metadata: JSON.stringify(toMetadata(write.point, before)),
  document: JSON.stringify(write.point.content),
  embedding: embeddingOf(tenant, write),
})

const bytesOf = ({ metadata, document, embedding }: Row): number =>
  Buffer.byteLength(metadata) + Buffer.byteLength(document) + embedding.length

/** Rows in requests, each of which is small enough; made as they are sent, for a batch may be large. */
function* requests(rows: Iterable<Row>, most: number): Generator<Row[]> {
  let some: Row[] = []
  let bytes = 0
  for (const row of rows) {
    const more = bytesOf(row)
    if (some.length === most || (some.length > 0 && bytes + more > MOST_BYTES)) {
      yield some
      some = []
      bytes = 0
    }
    some.push(row)
    bytes += more
  }
  if (some.length > 0) yield some
}

function bodyOf(path: '/upsert' | '/update', rows: readonly Row[]): string {
  const list = (name: keyof Row): string => `[${rows.map((row) => row[name]).join()}]`
  const embeddings = path === '/upsert' ? `,"embeddings":${list('embedding')}` : ''
  return `{"ids":${list('id')},"metadatas":${list('metadata')},"documents":${list('document')}${embeddings}}`
}

export async function send(tenant: Tenant, kind: SearchKind, path: '/upsert' | '/update', rows: Iterable<Row>) {
  const { client, collections, tenantId } = tenant
  for (const some of requests(rows, mostOf(tenant))) {
    const body = bodyOf(path, some)
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

/** What is there of the points that are written over: the server merges, and compares no revisions. */
export async function metadataOf(
  tenant: Tenant,
  kind: SearchKind,
  keys: readonly string[],
): Promise<Map<string, Metadata>> {
  const there = new Map<string, Metadata>()
  for (const ids of chunks(keys, tenant.client.abilities.batch)) {
    const found = await get(tenant, kind, { ids, include: ['metadatas'] })
    for (const [i, id] of found.ids.entries()) there.set(id, found.metadatas?.[i] ?? {})
  }
  return there
}

async function write(tenant: Tenant, kind: SearchKind, writes: readonly PointWrite[]): Promise<ReadonlySet<string>> {
  const there = await metadataOf(
    tenant,
    kind,
    writes.map(({ point }) => point.key),
  )
  const refused = new Set(
    writes.flatMap(({ point, guard }) => (refuses(guard, there.get(point.key)) ? [point.key] : [])),
  )
  const left = writes.filter(({ point }) => !refused.has(point.key))
  function* rows(kept: boolean): Generator<Row> {
    for (const each of left)
      if ((each.vector === 'keep') === kept) yield toRow(tenant, each, there.get(each.point.key) ?? null)
  }
  await send(tenant, kind, '/upsert', rows(false))
  await send(tenant, kind, '/update', rows(true))
  return refused
}

/** Keys are of one tenant and kind alone, as the contract makes them; the names do not rely on it. */
export const inTurn = <T>(
  tenant: Tenant,
  kind: SearchKind,
  keys: readonly string[],
  work: () => Promise<T>,
): Promise<T> =>
  tenant.turns.run(
    keys.map((key) => `${kind} ${key} ${tenant.tenantId}`),
    tenant.client.callTimeout,
    work,
  )

/**
 * Writes points and answers the keys that their guard refused. The engine has no conditional write: what is there is
 * looked at before, and writers of this process wait for one another; those of others are not noticed in between.
 */
export const writePoints = (
  tenant: Tenant,
  kind: SearchKind,
  writes: readonly PointWrite[],
): Promise<ReadonlySet<string>> =>
  inTurn(
    tenant,
    kind,
    writes.map(({ point }) => point.key),
    () => write(tenant, kind, writes),
  )

export async function removeKeys(tenant: Tenant, kind: SearchKind, keys: readonly string[], where?: Where) {
  for (const ids of chunks(keys, mostOf(tenant)))
    await onCollection(tenant, kind, '/delete', { body: { ids, where }, writes: true })
}

/** In turn too: between a writer's look and its write, what was removed would come back. */
export const removePoints = (
  tenant: Tenant,
  kind: SearchKind,
  keys: readonly string[],
  where: readonly Condition[],
): Promise<void> =>
  inTurn(tenant, kind, keys, async () => {
    await removeKeys(tenant, kind, keys, whereOf(where))
  })
