import type {
  ReadOptions,
  TransferBatch,
  TransferRange,
  TransferScope,
  TransferSide,
  TransferSource,
} from '../../contract/transfer.js'
import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import type { VectorStore } from './store.js'
import { kindsOf, type ReadEnd, sideOf } from './transfer-end.js'
import type { PointPlace } from './transfer-engine.js'
import { planRanges } from './transfer-ranges.js'
import { batchesOf, placesOf } from './transfer-read.js'
import { carriedOf, checkRecords } from './transfer-records.js'

/** Sums stay whole numbers below it. */
const MODULUS = 2 ** 52

/** How many points there are, and the sum of what their last writes were known by. */
async function stateOf(place: PointPlace): Promise<readonly [count: number, sum: number]> {
  let count = 0
  let sum = 0
  for await (const revisions of place.revisions())
    for (const revision of revisions) {
      count++
      sum = (sum + (Number(revision) || 0)) % MODULUS
    }
  return [count, sum]
}

/** Reads a store of points in the order of their keys, which do not change. */
export class VectorSource implements TransferSource {
  readonly #end: ReadEnd
  readonly #close: () => Promise<void>

  /** @param close What is to be closed with it; nothing where it is over a backend that somebody else has opened. */
  constructor(end: ReadEnd, close: () => Promise<void> = async () => undefined) {
    this.#end = end
    this.#close = close
  }

  async describe(): Promise<TransferSide> {
    return sideOf(this.#end)
  }

  /**
   * Counts, and sums of the numbers that every write draws at random from 2^47: a write is not seen where two sums meet by
   * chance. The number of every point is read, without its record and vector where the engine can do that.
   */
  async fingerprint(scope: TransferScope): Promise<string> {
    checkRecords(await this.#end.engine.sample())
    const parts: string[] = []
    for (const kind of kindsOf(scope)) {
      let [all, total] = [0, 0]
      for (const place of await this.#end.engine.places(kind, scope.tenantId)) {
        const [count, sum] = await stateOf(place)
        all += count
        total = (total + sum) % MODULUS
      }
      parts.push(`${kind} ${all} ${total}`)
    }
    return parts.join(', ')
  }

  /** @throws ConfigurationError where the store is the index of another memory. */
  async ranges(scope: TransferScope, records: number): Promise<readonly TransferRange[]> {
    const { engine } = this.#end
    checkRecords(await engine.sample())
    const ranges: TransferRange[] = []
    for (const kind of kindsOf(scope)) {
      const places: { name: string; count: number }[] = []
      for (const place of await placesOf(engine, kind, scope.tenantId))
        places.push({ name: place.name, count: await place.count() })
      ranges.push(...planRanges(kind, places, records))
    }
    return ranges
  }

  async *read(range: TransferRange, options: ReadOptions): AsyncGenerator<TransferBatch> {
    const { engine, space } = this.#end
    const kind = SEARCH_KINDS.find((known): known is SearchKind => known === range.kind)
    if (kind) yield* batchesOf(engine, kind, range, options, (point) => carriedOf(kind, space.dimensions, point))
  }

  close(): Promise<void> {
    return this.#close()
  }
}

/** Reads a store as it is, while others use it; nothing is made that is not there. */
export async function openVectorSource(name: string, store: VectorStore): Promise<TransferSource> {
  try {
    const space = await store.openAsIs()
    return new VectorSource({ name, engine: store.transfer(), space }, () => store.close())
  } catch (error) {
    await store.close()
    throw error
  }
}
