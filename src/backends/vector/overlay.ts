import { ConflictError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import { meetsAll } from './conditions.js'
import type { VectorContext } from './context.js'
import { distanceOf } from './distance.js'
import { comparePlaces, placeOf } from './listing.js'
import type { Condition, Guard, NearestQuery, NearPoint, PageQuery, Point, PointWrite, VectorScope } from './store.js'

/** What a unit has made of one point, and what must still be there when it is written. */
interface Change {
  readonly point: Point | null
  readonly vector: PointWrite['vector']
  readonly guard: Guard
}

type Changes = Map<string, Change>

/** Whether a guard lets a write pass over what is there. */
function passes(guard: Guard, there: Pick<Point, 'revision'> | null | undefined): boolean {
  if (guard === null) return true
  return guard === 'absent' ? !there : there?.revision === guard.revision
}

/**
 * The points of one tenant with the writes of a unit over them, which nobody else sees. A unit that fails leaves nothing;
 * one that is committed is written in batches, so that a crash in the middle leaves a part of it.
 */
export class Overlay implements VectorScope {
  readonly #changes = new Map<SearchKind, Changes>()
  constructor(
    readonly below: VectorScope,
    readonly space: VectorContext['space'],
  ) {}

  #of(kind: SearchKind): Changes {
    const changes = this.#changes.get(kind) ?? new Map()
    this.#changes.set(kind, changes)
    return changes
  }

  async fetch(kind: SearchKind, keys: readonly string[]): Promise<Point[]> {
    const changes = this.#of(kind)
    const unknown = keys.filter((key) => !changes.has(key))
    const below = unknown.length > 0 ? await this.below.fetch(kind, unknown) : []
    return [...below, ...keys.flatMap((key) => changes.get(key)?.point ?? [])]
  }

  async write(kind: SearchKind, writes: readonly PointWrite[]): Promise<ReadonlySet<string>> {
    const changes = this.#of(kind)
    const guarded = writes.filter(({ point, guard }) => guard !== null && !changes.has(point.key))
    const there = guarded.length > 0 ? await this.below.fetch(kind, keysOf(guarded)) : []
    const below = new Map(there.map((point) => [point.key, point]))
    const refused = new Set<string>()
    for (const { point, vector, guard } of writes) {
      const before = changes.get(point.key)
      if (!passes(guard, before ? before.point : below.get(point.key))) refused.add(point.key)
      else
        changes.set(point.key, {
          point,
          vector: vector === 'keep' && before ? before.vector : vector,
          guard: before ? before.guard : guard,
        })
    }
    return refused
  }

  async remove(kind: SearchKind, keys: readonly string[], where: readonly Condition[] = []): Promise<void> {
    const changes = this.#of(kind)
    const wanted =
      where.length > 0 ? keysOfPoints(await this.fetch(kind, keys), (point) => meetsAll(point, where)) : keys
    for (const key of wanted) changes.set(key, { point: null, vector: null, guard: changes.get(key)?.guard ?? null })
  }

  /** Points of the unit that a query may answer. */
  #own(kind: SearchKind, where: readonly Condition[]): (Change & { readonly point: Point })[] {
    return [...this.#of(kind).values()].flatMap((change) => {
      const { point } = change
      return point && meetsAll(point, where) ? [{ ...change, point }] : []
    })
  }

  async page(query: PageQuery): Promise<Point[]> {
    const { kind, where, order, descending, after, limit } = query
    const changes = this.#of(kind)
    if (changes.size === 0) return this.below.page(query)
    const below = await this.below.page({ ...query, limit: limit + changes.size })
    const own = this.#own(kind, where)
      .map(({ point }) => point)
      .filter((point) => after === null || comparePlaces(placeOf(point, order), after, descending) > 0)
    return [...below.filter(({ key }) => !changes.has(key)), ...own]
      .sort((a, b) => comparePlaces(placeOf(a, order), placeOf(b, order), descending))
      .slice(0, limit)
  }

  async nearest(query: NearestQuery): Promise<NearPoint[]> {
    const { kind, where, vector, limit } = query
    const changes = this.#of(kind)
    if (changes.size === 0) return this.below.nearest(query)
    const below = await this.below.nearest({ ...query, limit: limit + changes.size })
    const distances = new Map(below.map(({ point, distance }) => [point.key, distance]))
    const own = this.#own(kind, where).flatMap(({ point, vector: stored }): NearPoint[] => {
      if (stored instanceof Float32Array) return [{ point, distance: distanceOf(this.space.metric, stored, vector) }]
      const distance = distances.get(point.key)
      return stored === 'keep' && distance !== undefined ? [{ point, distance }] : []
    })
    return [...below.filter(({ point }) => !changes.has(point.key)), ...own]
      .sort((a, b) => a.distance - b.distance)
      .slice(0, limit)
  }

  async count(kind: SearchKind, where: readonly Condition[]): Promise<number> {
    const changes = this.#of(kind)
    const below = await this.below.count(kind, where)
    if (changes.size === 0) return below
    const hidden = await this.below.fetch(kind, [...changes.keys()])
    return below - hidden.filter((point) => meetsAll(point, where)).length + this.#own(kind, where).length
  }

  async distinct(kind: SearchKind, field: 'namespace', where: readonly Condition[]): Promise<string[]> {
    const changes = this.#of(kind)
    const below = await this.below.distinct(kind, field, where)
    if (changes.size === 0) return below
    const own = this.#own(kind, where).flatMap(({ point }) => point.fields[field] ?? [])
    const kept = await Promise.all(below.map((value) => this.#has(kind, field, value, where)))
    return [...new Set([...below.filter((_, i) => kept[i]), ...own])]
  }

  async #has(kind: SearchKind, field: 'namespace', value: string, where: readonly Condition[]): Promise<boolean> {
    const narrowed = [{ field, in: [value] }, ...where]
    const page = await this.page({ kind, where: narrowed, order: [], descending: false, after: null, limit: 1 })
    return page.length > 0
  }

  /**
   * Writes what the unit has made. A unit inside another one writes into that one.
   *
   * @throws ConflictError where somebody else has changed a record that the unit writes over; other records may be written.
   */
  async commit(): Promise<void> {
    for (const [kind, changes] of this.#changes) {
      const writes: PointWrite[] = []
      const gone: string[] = []
      for (const [key, { point, vector, guard }] of changes)
        if (point) writes.push({ point, vector, guard })
        else gone.push(key)
      const refused = writes.length > 0 ? await this.below.write(kind, writes) : new Set()
      if (refused.size > 0) throw new ConflictError(`a ${kind} that this unit changes was changed by another writer`)
      if (gone.length > 0) await this.below.remove(kind, gone)
    }
  }
}

const keysOf = (writes: readonly PointWrite[]): string[] => writes.map(({ point }) => point.key)

const keysOfPoints = (points: readonly Point[], wanted: (point: Point) => boolean): string[] =>
  points.filter(wanted).map(({ key }) => key)
