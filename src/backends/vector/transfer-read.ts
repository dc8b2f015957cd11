import type { ReadOptions, TransferBatch, TransferRange } from '../../contract/transfer.js'
import type { SearchKind } from '../../model/records.js'
import type { PointPlace, StoredPoint, TransferEngine } from './transfer-engine.js'
import { markText, readMark } from './transfer-ranges.js'
import type { CarriedPoint } from './transfer-records.js'

/** Points that the first page asks for: nobody knows yet how large they are. */
const FIRST = 16

/** Places in the order in which they are read. */
export async function placesOf(
  engine: TransferEngine,
  kind: SearchKind,
  tenantId: string | undefined,
): Promise<readonly PointPlace[]> {
  const places = await engine.places(kind, tenantId)
  return [...places].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const sizeOf = ({ content, rest, vector }: StoredPoint): number =>
  String(content).length + String(rest).length + (vector?.length ?? 0) * 4

/** How many points a page asks for: as many as the bytes of a batch hold of those that were read, and never suddenly more. */
class Pace {
  #next = FIRST
  #points = 0
  #bytes = 0
  constructor(
    readonly most: number,
    readonly bytes: number,
  ) {}

  get next(): number {
    return Math.max(1, Math.min(this.most, this.#next))
  }

  saw(points: readonly StoredPoint[]): void {
    this.#points += points.length
    for (const point of points) this.#bytes += sizeOf(point)
    const fitting = Math.floor((this.bytes * this.#points) / Math.max(1, this.#bytes))
    this.#next = Math.min(this.next * 2, Math.max(1, fitting))
  }
}

interface Placed {
  readonly place: string
  readonly point: StoredPoint
}

async function* pointsIn(
  place: PointPlace,
  after: string | null,
  until: string | null,
  pace: Pace,
): AsyncGenerator<StoredPoint> {
  const read = await place.open()
  for (let key = after; ; ) {
    const { points, last } = await read(key, pace.next)
    pace.saw(points)
    for (const point of points) {
      if (until !== null && point.key > until) return
      yield point
    }
    if (last === null || (until !== null && last >= until)) return
    key = last
  }
}

/** The points of a range behind a cursor, in order. */
async function* pointsOf(
  engine: TransferEngine,
  kind: SearchKind,
  range: TransferRange,
  { after, limits, tenantId }: ReadOptions,
): AsyncGenerator<Placed> {
  const start = readMark(after ?? range.from, after === null ? 'range.from' : 'after')
  const end = readMark(range.to, 'range.to')
  const pace = new Pace(Math.min(engine.most, limits.records), limits.bytes)
  for (const place of await placesOf(engine, kind, tenantId)) {
    const { name } = place
    if (start && (name < start[0] || (name === start[0] && start[1] === null))) continue
    if (end && name > end[0]) return
    const from = start && name === start[0] ? start[1] : null
    const until = end && name === end[0] ? end[1] : null
    for await (const point of pointsIn(place, from, until, pace)) yield { place: name, point }
  }
}

/** The records of a range in batches of bounded size. */
export async function* batchesOf(
  engine: TransferEngine,
  kind: SearchKind,
  range: TransferRange,
  options: ReadOptions,
  carried: (point: StoredPoint) => CarriedPoint,
): AsyncGenerator<TransferBatch> {
  const { limits } = options
  let records: CarriedPoint[] = []
  let bytes = 0
  let cursor = ''
  for await (const { place, point } of pointsOf(engine, kind, range, options)) {
    records.push(carried(point))
    bytes += sizeOf(point)
    cursor = markText([place, point.key])
    if (records.length < limits.records && bytes < limits.bytes) continue
    yield { records, cursor, bytes }
    records = []
    bytes = 0
  }
  if (records.length > 0) yield { records, cursor, bytes }
}
