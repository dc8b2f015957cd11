import { comparePlaces, placeOf } from '../vector/listing.js'
import type { PageQuery, Point } from '../vector/store.js'
import type { Where } from './filters.js'
import { fractionValue } from './metadata.js'
import { fetchPoints, metadatasOf, type Tenant } from './tenant.js'

/** What lies behind the cursor in the first field of the order, and what is equal there. */
function narrowed({ order, descending, after }: PageQuery): Where[] {
  const [field] = order
  if (!after || !field) return []
  const value = after.values[0] as number
  // What has no value stands at 0, and as something else in the engine.
  if (!descending && value <= 0 && field !== 'created') return []
  const operator = descending ? '$lte' : '$gte'
  return [{ [field]: { [operator]: field === 'importance' ? fractionValue(value) : value } }]
}

/** Points in the order of a query. The engine has no order: what it is made of is read for all that meet the conditions. */
export async function orderedPoints(tenant: Tenant, query: PageQuery): Promise<Point[]> {
  const { kind, where, order, descending, after, limit } = query
  const places = (await metadatasOf(tenant, kind, where, narrowed(query)))
    .map((point) => ({ key: point.key, place: placeOf(point, order) }))
    .filter(({ place }) => after === null || comparePlaces(place, after, descending) > 0)
    .sort((a, b) => comparePlaces(a.place, b.place, descending))
    .slice(0, limit)
  if (places.length === 0) return []
  const points = await fetchPoints(
    tenant,
    kind,
    places.map(({ key }) => key),
  )
  // Some may have gone or moved meanwhile.
  return points.sort((a, b) => comparePlaces(placeOf(a, order), placeOf(b, order), descending))
}
