import { StorageError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import { isLive, keyOf, latestOf, revisionOf } from '../vector/follow.js'
import type { Entry, FollowWrite } from '../vector/store.js'
import { pathOf } from './collection.js'
import type { Clause } from './filters.js'
import { IDENTITY, instant, toIdentity } from './payload.js'
import { ask, type Place } from './place.js'
import { chunks, type Scrolled } from './read.js'
import { type Sending, send, sendAll, shardText, upsertText } from './write.js'

/** The kind of what remembers that a record was deleted, which no search asks for. */
const GONE = 'gone'
const PAGE = 1000
/** How often a collection is made again that somebody deletes meanwhile. */
const ATTEMPTS = 3

interface Remembered {
  readonly revision: number
  readonly kind: unknown
  readonly rest: unknown
  readonly hash: unknown
}

interface Stored {
  readonly id: unknown
  readonly payload?: Readonly<Record<string, unknown>> | null
}

/** What is there of some keys, whosever it is. */
async function rememberedOf(place: Place, keys: readonly string[]): Promise<ReadonlyMap<string, Remembered>> {
  const body = { with_payload: ['revision', 'kind', 'rest', 'hash'], with_vector: false }
  const found = await Promise.all(chunks(keys, PAGE).map((ids) => ask<readonly Stored[]>(place, '', { ids, ...body })))
  return new Map(
    found
      .flatMap((points) => points ?? [])
      .map(({ id, payload }) => {
        const { revision, kind, rest, hash } = payload ?? {}
        return [String(id), { revision: Number(revision ?? 0), kind, rest, hash }]
      }),
  )
}

/** Whether a write has still to be made over what is there. */
function isBehind(kind: SearchKind, write: FollowWrite, there: Remembered | undefined): boolean {
  const revision = revisionOf(write)
  if (!there || there.revision < revision) return true
  if (there.revision > revision) return false
  if (!isLive(write)) return there.kind !== GONE
  const { rest, hash } = write.point
  return there.kind !== kind || there.rest !== rest || there.hash !== (hash ?? undefined)
}

const guardText = (revision: number): string =>
  `"update_filter":${JSON.stringify({ must: [{ key: 'revision', range: { lte: revision } }] } satisfies Clause)}`

function pointText(place: Place, kind: SearchKind, write: FollowWrite): string {
  if (isLive(write)) return upsertText(place, kind, write)
  const { key, revision, at } = write.gone
  const payload = { tenant: place.tenantId, kind: GONE, of: kind, revision, gone_at: instant(at) }
  return `{"id":"${key}","vector":{},"payload":${JSON.stringify(payload)}}`
}

/**
 * Tells of many records in one request, under one condition, which is what costs least: nothing is there, or what all of
 * them may write over. What is left alone by it is told by itself afterwards.
 */
const together = (place: Place, kind: SearchKind, writes: readonly FollowWrite[], told: Told): Promise<void> =>
  sendAll(
    [...writes].sort((a, b) => revisionOf(a) - revisionOf(b)),
    (write) => pointText(place, kind, write),
    async (points, [lowest]) => {
      const guard = guardText(revisionOf(lowest as FollowWrite))
      await told({ method: 'PUT', path: '', body: `{"points":[${points.join(',')}],${guard}${shardText(place)}}` })
    },
  )

/** Each record under a condition of its own, which costs seven times as much. */
const apart = (place: Place, kind: SearchKind, writes: readonly FollowWrite[], told: Told): Promise<void> =>
  sendAll(
    writes,
    (write) => {
      const guard = guardText(revisionOf(write))
      return `{"upsert":{"points":[${pointText(place, kind, write)}],${guard}${shardText(place)}}}`
    },
    async (operations) => {
      await told({ method: 'POST', path: '/batch', body: `{"operations":[${operations.join(',')}]}` })
    },
  )

type Told = (sending: Pick<Sending, 'method' | 'path' | 'body'>) => Promise<void>

/** False where the tenant's collection is gone. */
async function tell(place: Place, kind: SearchKind, writes: readonly FollowWrite[]): Promise<boolean> {
  let there = true
  const told: Told = async (sending) => {
    if (!(await send(place, { ...sending, guarded: true, accept: place.accept }))) there = false
  }
  await together(place, kind, writes, told)
  const remembered = await rememberedOf(place, writes.map(keyOf))
  const behind = writes.filter((write) => isBehind(kind, write, remembered.get(keyOf(write))))
  if (there) await apart(place, kind, behind, told)
  return there
}

/**
 * Tells of records as they are now. The server decides each write by the revision of what is there, so that it does not
 * matter when it comes; what was deleted leaves its revision behind.
 */
export async function followPoints(place: Place, kind: SearchKind, writes: readonly FollowWrite[]): Promise<void> {
  const latest = latestOf(writes)
  if (latest.length === 0) return
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    await place.prepare()
    if (await tell(place, kind, latest)) return
    place.lost()
  }
  throw new StorageError("a tenant's collection is deleted as soon as it is made", { retryable: true })
}

const isGone: Clause = { key: 'kind', match: { value: GONE } }

function toEntry({ id, payload }: Stored): Entry {
  const { tenant, kind } = payload ?? {}
  const point = toIdentity(id, payload)
  const { conversation, namespace } = point.fields
  return {
    tenantId: String(tenant),
    kind: kind as SearchKind,
    key: point.key,
    revision: point.revision,
    id: point.fields.id,
    scope: (kind === 'message' ? conversation : namespace) ?? '',
    rest: point.rest,
  }
}

/** Everything in one collection by its keys, which do not change. */
export async function* entriesOf(place: Place, tenantId: string | undefined): AsyncGenerator<Entry[]> {
  const must = tenantId === undefined ? [] : [{ key: 'tenant', match: { value: tenantId } }]
  const filter = { must, must_not: [isGone] }
  for (let offset: unknown = null; ; ) {
    const body = { filter, limit: PAGE, offset, with_payload: IDENTITY, with_vector: false }
    const page: Scrolled = (await ask<Scrolled>(place, '/scroll', body)) ?? {}
    const entries = (page.points ?? []).map(toEntry)
    if (entries.length > 0) yield entries
    offset = page.next_page_offset ?? null
    if (offset === null) return
  }
}

/** Forgets what was deleted before that instant; answers how much. */
export async function forgetGone(place: Place, before: number): Promise<number> {
  const filter = { must: [isGone, { key: 'gone_at', range: { lt: instant(before) } }] }
  const answer = await ask<{ readonly count?: number }>(place, '/count', { filter, exact: true })
  if (!answer?.count) return 0
  await removeWhere(place, filter)
  return answer.count
}

export const removeTenant = (place: Place): Promise<void> =>
  removeWhere(place, { must: [{ key: 'tenant', match: { value: place.tenantId } }] })

async function removeWhere({ client, collection, shard, seenWrites, accept }: Place, filter: object): Promise<void> {
  const path = `${pathOf(collection)}/points/delete${seenWrites}`
  await client.call({ method: 'POST', path, body: { ...shard, filter }, accept, writes: true })
}
