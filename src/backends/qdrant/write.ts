import type { SearchKind } from '../../model/records.js'
import type { Condition, PointWrite } from '../vector/store.js'
import { pathOf } from './collection.js'
import { type Clause, filterOf } from './filters.js'
import { toPayload } from './payload.js'
import type { Place } from './place.js'
import { chunks, revisionsOf } from './read.js'
import { vectorText } from './text.js'

/** Characters of one request's body; the server's limit is 32 MB. */
const MOST_TEXT = 8_000_000
const MOST_POINTS = 125
const MOST_KEYS = 1000
const MOST_UNDER_WAY = 4
/** Nothing meets it: an upsert on this condition leaves alone what is there. */
const NEVER = { must: [{ has_id: [] }] }

export interface Sending {
  readonly method: 'PUT' | 'POST'
  readonly path: '' | '/batch'
  readonly body: string
  /** Whether the writes have guards: whether they took effect is read afterwards. */
  readonly guarded: boolean
  readonly accept?: readonly number[]
}

/** False where the answer is one of the statuses that are accepted. */
export async function send(place: Place, { path, guarded, ...call }: Sending): Promise<boolean> {
  const at = `${pathOf(place.collection)}/points${path}${guarded ? place.seenWrites : place.writes}`
  return (await place.client.call({ ...call, path: at, writes: true })) !== undefined
}

/**
 * Sends the texts in requests of bounded size. The next request is put together while the server works at the one before;
 * they may take effect in any order, for no point is in two of them.
 */
export async function sendAll<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  send: (texts: readonly string[], some: readonly T[]) => Promise<void>,
) {
  const under = new Set<Promise<void>>()
  const failures: unknown[] = []
  let texts: string[] = []
  let some: T[] = []
  let size = 0
  const begin = async (): Promise<void> => {
    const sent = send(texts, some)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => under.delete(sent))
    under.add(sent)
    texts = []
    some = []
    size = 0
    if (under.size >= MOST_UNDER_WAY) await Promise.race(under)
    // The request leaves before the next one takes this thread.
    else await new Promise<void>((resolve) => setImmediate(resolve))
  }
  for (const item of items) {
    const text = textOf(item)
    if (texts.length === MOST_POINTS || (texts.length > 0 && size + text.length > MOST_TEXT)) await begin()
    if (failures.length > 0) break
    texts.push(text)
    some.push(item)
    size += text.length
  }
  if (texts.length > 0 && failures.length === 0) await begin()
  await Promise.all(under)
  if (failures.length > 0) throw failures[0]
}

export const shardText = ({ shard }: Place): string =>
  shard.shard_key === undefined ? '' : `,"shard_key":${JSON.stringify(shard.shard_key)}`

export function upsertText(
  { tenantId }: Pick<Place, 'tenantId'>,
  kind: SearchKind,
  { point, vector }: Pick<PointWrite, 'point' | 'vector'>,
): string {
  const text = vector instanceof Float32Array ? vectorText(vector) : '{}'
  return `{"id":"${point.key}","vector":${text},"payload":${JSON.stringify(toPayload(tenantId, kind, point))}}`
}

/** Points that are put there whatever is there, or only where nothing is. */
export async function upsert(
  place: Place,
  kind: SearchKind,
  writes: readonly PointWrite[],
  guarded: boolean,
  tenantOf: (write: PointWrite) => Pick<Place, 'tenantId'> = () => place,
): Promise<void> {
  const filter = guarded ? `,"update_filter":${JSON.stringify(NEVER)}` : ''
  await sendAll(
    writes,
    (write) => upsertText(tenantOf(write), kind, write),
    async (points) => {
      const body = `{"points":[${points.join(',')}]${filter}${shardText(place)}}`
      await send(place, { method: 'PUT', path: '', body, guarded })
    },
  )
}

const filterOn = (place: Place, kind: SearchKind, key: string, revision: number | null): Clause =>
  filterOf(
    place.tenantId,
    kind,
    [],
    [{ has_id: [key] }, ...(revision === null ? [] : [{ key: 'revision', match: { value: revision } }])],
  )

/**
 * The operations that change one point where it has a revision: its payload, then its vector where the payload is the new
 * one. An upsert on a condition would bring back a point that was deleted meanwhile. Repeated, they end in the same.
 */
function changeTexts(place: Place, kind: SearchKind, { point, vector, guard }: PointWrite): string {
  const before = guard !== null && guard !== 'absent' ? guard.revision : null
  const shard = shardText(place)
  const payload = JSON.stringify(toPayload(place.tenantId, kind, point))
  const on = JSON.stringify(filterOn(place, kind, point.key, before))
  const overwrite = `{"overwrite_payload":{"payload":${payload},"filter":${on}${shard}}}`
  if (vector === 'keep') return overwrite
  const ours = JSON.stringify(filterOn(place, kind, point.key, point.revision))
  const change =
    vector === null
      ? `{"delete_vectors":{"vector":[""],"filter":${ours}${shard}}}`
      : `{"update_vectors":{"points":[{"id":"${point.key}","vector":${vectorText(vector)}}],"update_filter":${ours}${shard}}}`
  return `${overwrite},${change}`
}

/**
 * A vector for a point that is gone is an error (404) of the whole batch, of which other changes may not be made: each is
 * then made alone.
 */
async function change(place: Place, kind: SearchKind, writes: readonly PointWrite[], guarded: boolean): Promise<void> {
  const sending = { method: 'POST', path: '/batch', guarded, accept: guarded ? [404] : [] } as const
  const made = (operations: readonly string[]): Promise<boolean> =>
    send(place, { ...sending, body: `{"operations":[${operations.join(',')}]}` })
  await sendAll(
    writes,
    (write) => changeTexts(place, kind, write),
    async (operations) => {
      if ((await made(operations)) || operations.length === 1) return
      for (const each of operations) await made([each])
    },
  )
}

/** Writes points and answers the keys that their guard refused. */
export async function writePoints(
  place: Place,
  kind: SearchKind,
  writes: readonly PointWrite[],
): Promise<ReadonlySet<string>> {
  await place.prepare()
  const some = (wanted: (write: PointWrite) => boolean): PointWrite[] => writes.filter(wanted)
  await upsert(
    place,
    kind,
    some(({ guard, vector }) => guard === null && vector !== 'keep'),
    false,
  )
  await upsert(
    place,
    kind,
    some(({ guard }) => guard === 'absent'),
    true,
  )
  await change(
    place,
    kind,
    some(({ guard, vector }) => guard === null && vector === 'keep'),
    false,
  )
  await change(
    place,
    kind,
    some(({ guard }) => guard !== null && guard !== 'absent'),
    true,
  )
  return refusedOf(
    place,
    writes.filter(({ guard }) => guard !== null),
  )
}

/** The server does not say which points met the condition of a write: their revisions do. */
export async function refusedOf(place: Place, guarded: readonly PointWrite[]): Promise<ReadonlySet<string>> {
  if (guarded.length === 0) return new Set()
  const revisions = await revisionsOf(
    place,
    guarded.map(({ point }) => point.key),
  )
  return new Set(
    guarded.flatMap(({ point }) => (revisions.get(point.key)?.includes(point.revision) ? [] : [point.key])),
  )
}

export async function removePoints(
  place: Place,
  kind: SearchKind,
  keys: readonly string[],
  where: readonly Condition[],
): Promise<void> {
  const { client, collection, shard, tenantId, writes, accept } = place
  for (const some of chunks(keys, MOST_KEYS)) {
    const filter = filterOf(tenantId, kind, where, [{ has_id: some }])
    const path = `${pathOf(collection)}/points/delete${writes}`
    await client.call({ method: 'POST', path, body: { ...shard, filter }, accept, writes: true })
  }
}
