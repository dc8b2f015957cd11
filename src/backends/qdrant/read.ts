import { StorageError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import type { Condition, Point } from '../vector/store.js'
import { filterOf } from './filters.js'
import { earlierOf, toPoint } from './payload.js'
import { ask, type Place } from './place.js'

/** Points of one request. */
const CHUNK = 1000
/** Values of one facet. */
const MOST_VALUES = 1_000_000

export interface Stored {
  readonly id: unknown
  readonly payload?: Readonly<Record<string, unknown>> | null
  readonly vector?: unknown
}

export interface Scrolled {
  readonly points?: readonly Stored[]
  readonly next_page_offset?: unknown
}

export const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

export const pointsOf = ({ points = [] }: Scrolled): Point[] => points.map(({ id, payload }) => toPoint(id, payload))

/** By their keys; whatever another tenant or kind has under such a key is not there. */
export async function fetchPoints(place: Place, kind: SearchKind, keys: readonly string[]): Promise<Point[]> {
  const found = await Promise.all(
    chunks(keys, CHUNK).map((ids) =>
      ask<readonly Stored[]>(place, '', { ids, with_payload: true, with_vector: false }),
    ),
  )
  return found
    .flatMap((points) => points ?? [])
    .filter(({ payload }) => payload?.tenant === place.tenantId && payload.kind === kind)
    .map(({ id, payload }) => toPoint(id, payload))
}

/** The revisions that some points have and have had. */
export async function revisionsOf(
  place: Place,
  keys: readonly string[],
): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const body = { with_payload: ['revision', 'earlier'], with_vector: false }
  const found = await Promise.all(chunks(keys, CHUNK).map((ids) => ask<readonly Stored[]>(place, '', { ids, ...body })))
  return new Map(
    found
      .flatMap((points) => points ?? [])
      .map(({ id, payload }) => [String(id), payload ? [payload.revision, ...earlierOf(payload)] : []]),
  )
}

export async function countPoints(place: Place, kind: SearchKind, where: readonly Condition[]): Promise<number> {
  const filter = filterOf(place.tenantId, kind, where)
  const answer = await ask<{ readonly count?: unknown }>(place, '/count', { filter, exact: true })
  if (answer === undefined) return 0
  if (typeof answer.count !== 'number') throw new StorageError('Qdrant answered something else than a count')
  return answer.count
}

interface Facet {
  readonly hits?: readonly { readonly value: unknown; readonly count: unknown }[]
}

/** The different values of a field. */
export async function facet(place: Place, key: string, filter: object): Promise<string[]> {
  const answer = await place.client.call<Facet>({
    method: 'POST',
    path: `/collections/${encodeURIComponent(place.collection)}/facet`,
    body: { ...place.shard, key, filter, limit: MOST_VALUES, exact: true },
    accept: place.accept,
  })
  // Values whose last point is gone are still in the index, with none.
  return (answer?.hits ?? []).filter(({ count }) => count !== 0).map(({ value }) => String(value))
}
