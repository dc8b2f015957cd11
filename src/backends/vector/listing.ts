import { compareText } from '../../repository/matches.js'
import type { VectorContext } from './context.js'
import type { OrderField, PageQuery, Point } from './store.js'

/** Points that a further look asks for at least: those that are left out must not cost a request each. */
const FURTHER = 50

type Place = NonNullable<PageQuery['after']>

export const placeOf = ({ fields }: Pick<Point, 'fields'>, order: readonly OrderField[]): Place => ({
  values: order.map((field) => fields[field] ?? 0),
  id: fields.id,
})

/** Negative, 0 or positive, as a page goes. */
export function comparePlaces(a: Place, b: Place, descending: boolean): number {
  const sign = descending ? -1 : 1
  for (const [i, value] of a.values.entries()) {
    const difference = value - (b.values[i] as number)
    if (difference !== 0) return sign * difference
  }
  return sign * compareText(a.id, b.id)
}

/**
 * The first records of a query that are wanted, in its order.
 *
 * @param accept The record of a point, or null where the point is not wanted after all.
 */
export async function listed<R>(
  { points }: Pick<VectorContext, 'points'>,
  query: PageQuery,
  accept: (point: Point) => R | null,
): Promise<R[]> {
  const found: R[] = []
  let after = query.after
  let limit = query.limit
  for (;;) {
    const page = await points.page({ ...query, after, limit })
    for (const point of page) {
      const record = accept(point)
      if (record !== null && found.push(record) === query.limit) return found
    }
    const last = page.at(-1)
    if (page.length < limit || !last) return found
    after = placeOf(last, query.order)
    limit = Math.max(FURTHER, query.limit - found.length)
  }
}
