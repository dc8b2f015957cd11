import { comparePlaces, placeOf } from '../vector/listing.js'
import type { OrderField, PageQuery, Point } from '../vector/store.js'
import { type Clause, filterOf, rangeClause } from './filters.js'
import { ID_LEVELS, idLevel, idLevelKey } from './payload.js'
import { ask, type Place } from './place.js'
import { pointsOf, type Scrolled } from './read.js'

/** Points of a tie that are read at a time. */
const CHUNK = 1000

/** What the engine orders by, one at a time: it has no order by several fields. */
interface Level {
  /** Of the payload. */
  readonly key: string
  valueOf(place: Pick<Cursor, 'values' | 'id'>): number
  clause(range: { gte?: number; lte?: number; gt?: number; lt?: number }): Clause
}

type Cursor = NonNullable<PageQuery['after']>

const fieldLevel = (field: OrderField, i: number): Level => ({
  key: field === 'created' ? 'created_at' : field,
  valueOf: ({ values }) => values[i] as number,
  clause: (range) => rangeClause(field, range),
})

const idLevels: readonly Level[] = Array.from({ length: ID_LEVELS }, (_, level) => ({
  key: idLevelKey(level),
  valueOf: ({ id }) => idLevel(id, level),
  clause: (range) => ({ key: idLevelKey(level), range }),
}))

/** Documents are listed by their ids; of the others, few share all other values. */
const levelsOf = ({ kind, order }: PageQuery): readonly Level[] =>
  kind === 'document' ? idLevels : order.map(fieldLevel)

/** One listing while it is read. */
class Listing {
  constructor(
    readonly place: Place,
    readonly query: PageQuery,
  ) {}

  #filter(clauses: readonly Clause[]): Clause {
    return filterOf(this.place.tenantId, this.query.kind, this.query.where, clauses)
  }

  #sorted(points: readonly Point[]): Point[] {
    const { order, descending } = this.query
    return [...points].sort((a, b) => comparePlaces(placeOf(a, order), placeOf(b, order), descending))
  }

  /** Everything that meets the clauses, which is few: equal values in all levels. */
  async #whole(clauses: readonly Clause[]): Promise<Point[]> {
    const filter = this.#filter(clauses)
    const all: Point[] = []
    let offset: unknown
    do {
      const page: Scrolled =
        (await ask(this.place, '/scroll', { filter, offset, limit: CHUNK, with_payload: true })) ?? {}
      all.push(...pointsOf(page))
      offset = page.next_page_offset ?? undefined
    } while (offset !== undefined)
    return this.#sorted(all)
  }

  /** The first points behind a cursor: those that are equal to it in this level, and those beyond. */
  async #behind(levels: readonly Level[], clauses: readonly Clause[], after: Cursor, limit: number): Promise<Point[]> {
    const [level, ...rest] = levels
    if (!level) {
      const { order, descending } = this.query
      const tied = await this.#whole(clauses)
      return tied.filter((point) => comparePlaces(placeOf(point, order), after, descending) > 0).slice(0, limit)
    }
    const value = level.valueOf(after)
    const beyond = level.clause(this.query.descending ? { lt: value } : { gt: value })
    const [tied, more] = await Promise.all([
      this.#behind(rest, [...clauses, level.clause({ gte: value, lte: value })], after, limit),
      this.#first(levels, [...clauses, beyond], limit),
    ])
    return [...tied, ...more].slice(0, limit)
  }

  /** The first points at all. Of a value that the limit cuts through, the next level says which come first. */
  async #first(levels: readonly Level[], clauses: readonly Clause[], limit: number): Promise<Point[]> {
    const [level, ...rest] = levels
    if (limit <= 0) return []
    if (!level) return (await this.#whole(clauses)).slice(0, limit)
    const { order, descending } = this.query
    const page = await ask<Scrolled>(this.place, '/scroll', {
      filter: this.#filter(clauses),
      order_by: { key: level.key, direction: descending ? 'desc' : 'asc' },
      limit: limit + 1,
      with_payload: true,
    })
    const points = pointsOf(page ?? {})
    if (points.length <= limit) return this.#sorted(points)
    const values = points.map((point) => level.valueOf(placeOf(point, order)))
    const cut = values.at(-1) as number
    const sure = this.#sorted(points.filter((_, i) => values[i] !== cut))
    if (sure.length === limit) return sure
    const tied = [...clauses, level.clause({ gte: cut, lte: cut })]
    return [...sure, ...(await this.#first(rest, tied, limit - sure.length))]
  }

  run(): Promise<Point[]> {
    const { after, limit } = this.query
    const levels = levelsOf(this.query)
    return after ? this.#behind(levels, [], after, limit) : this.#first(levels, [], limit)
  }
}

/** Points in the order of a query, of an engine that orders by one number at a time and says nothing of equal ones. */
export const orderedPoints = (place: Place, query: PageQuery): Promise<Point[]> => new Listing(place, query).run()
