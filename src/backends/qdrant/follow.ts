import type { SearchKind } from '../../model/records.js'
import type { Entry, FollowWrite } from '../vector/store.js'
import { pathOf } from './collection.js'
import type { Clause } from './filters.js'
import { instant, toPoint } from './payload.js'
import { ask, type Place } from './place.js'
import { chunks, type Scrolled } from './read.js'
import { send, sendAll, shardText, upsert, upsertText } from './write.js'

/** The kind of what remembers that a record was deleted, which no search asks for. */
const GONE = 'gone'
const PAGE = 1000

type Live = Extract<FollowWrite, { point: unknown }>
type Gone = Extract<FollowWrite, { gone: unknown }>

const isLive = (write: FollowWrite): write is Live => 'point' in write

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
function isBehind(kind: SearchKind, { point }: Live, there: Remembered | undefined): boolean {
  if (!there || there.revision < point.revision) return true
  if (there.revision > point.revision) return false
  return there.kind !== kind || there.rest !== point.rest || there.hash !== (point.hash ?? undefined)
}

const atMost = (revision: number): string =>
  JSON.stringify({ must: [{ key: 'revision', range: { lte: revision } }] } satisfies Clause)

const operation = (place: Place, point: string, revision: number): string =>
  `{"upsert":{"points":[${point}],"update_filter":${atMost(revision)}${shardText(place)}}}`

function goneText({ tenantId }: Place, kind: SearchKind, { gone }: Gone): string {
  const { key, revision, at } = gone
  const payload = { tenant: tenantId, kind: GONE, of: kind, revision, gone_at: instant(at) }
  return `{"id":"${key}","vector":{},"payload":${JSON.stringify(payload)}}`
}

/** Each under a condition of its own, which the server decides. */
const guarded = <T>(place: Place, items: readonly T[], textOf: (item: T) => string): Promise<void> =>
  sendAll(items, textOf, async (operations) => {
    await send(place, {
      method: 'POST',
      path: '/batch',
      body: `{"operations":[${operations.join(',')}]}`,
      guarded: true,
    })
  })

/**
 * Tells of records as they are now. Most are new: they are put where nothing is, all at once, which costs a seventh of
 * conditions of their own; what is there of the others then says which of them are behind.
 */
export async function followPoints(place: Place, kind: SearchKind, writes: readonly FollowWrite[]): Promise<void> {
  await place.prepare()
  const live = writes.filter(isLive)
  const gone = writes.filter((write): write is Gone => !isLive(write))
  if (live.length > 0) {
    await upsert(
      place,
      kind,
      live.map((write) => ({ ...write, guard: 'absent' })),
      true,
    )
    const there = await rememberedOf(
      place,
      live.map(({ point }) => point.key),
    )
    const behind = live.filter((write) => isBehind(kind, write, there.get(write.point.key)))
    await guarded(place, behind, (write) =>
      operation(place, upsertText(place, kind, { ...write, guard: null }), write.point.revision),
    )
  }
  await guarded(place, gone, (write) => operation(place, goneText(place, kind, write), write.gone.revision))
}

const isGone: Clause = { key: 'kind', match: { value: GONE } }

const FIELDS = ['tenant', 'kind', 'id', 'revision', 'conversation', 'namespace', 'rest']

function toEntry({ id, payload }: Stored): Entry {
  const { tenant, kind, ...rest } = payload ?? {}
  const point = toPoint(id, { ...rest, content: '', metadata: {}, created_at: instant(0) })
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
    const body = { filter, limit: PAGE, offset, with_payload: FIELDS, with_vector: false }
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
