import type { Carried, TransferScope, TransferSource } from '../contract/transfer.js'
import type {
  RecordKey,
  TransferDifference,
  TransferPlan,
  TransferProgress,
  TransferVerification,
} from '../contract/transfer-plan.js'
import type { RecordKind } from '../model/records.js'
import { Buckets } from './buckets.js'
import { differingFields } from './fields-that-differ.js'
import { keyOf } from './keys.js'
import { bucketOf, carriedDigest, keyOfCarried, type VectorRule } from './record-hash.js'

export interface Verifying {
  readonly source: TransferSource
  readonly target: TransferSource
  readonly scope: TransferScope
  readonly vectors: TransferPlan['vectors']
  /** What the target holds beside the source's records is no difference. */
  readonly extrasAllowed: boolean
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined
}

const RANGE = 50_000
const LIMITS = { records: 2000, bytes: 8 * 1024 * 1024 }
/** Keys that are held in memory at a time, of both sides together. */
const HELD = 500_000
/** Differences that are named. */
const NAMED = 10_000
/** Of these, records whose fields are compared. */
const COMPARED = 2000

interface Named {
  readonly key: RecordKey
  readonly digest: string
}

/** Compares two stores record by record, in memory that does not grow with them. */
export class Verifier {
  #read = 0
  #unreadable = 0
  #total = 0
  #rule: VectorRule = 'none'
  constructor(readonly options: Verifying) {}

  async run(): Promise<TransferVerification> {
    const { source, target, scope, vectors } = this.options
    const [from, to] = await Promise.all([source.describe(), target.describe()])
    const unit = from.vectors === 'unit' || to.vectors === 'unit'
    this.#rule = vectors !== 'carried' ? 'none' : unit ? 'unit' : 'exact'
    const counts: Record<string, { source: number; target: number }> = {}
    const digests: Record<string, { source: string; target: string }> = {}
    const differences: TransferDifference[] = []
    let different = 0
    await this.#count()
    for (const kind of scope.kinds) {
      const [here, there] = await Promise.all([this.#sum(source, kind), this.#sum(target, kind)])
      counts[kind] = { source: here.count, target: there.count }
      digests[kind] = { source: here.hex(), target: there.hex() }
      const buckets = here.differing(there)
      if (buckets.length === 0) continue
      for (const some of portions(buckets, (i) => here.countOf(i) + there.countOf(i))) {
        const found = await this.#differences(kind, new Set(some))
        different += found.length
        differences.push(...found.slice(0, NAMED - differences.length))
      }
    }
    const named = await this.#compared(differences)
    return { equal: different === 0, counts, digests, differences: named, different, unreadable: this.#unreadable }
  }

  async #count(): Promise<void> {
    const { source, scope } = this.options
    const ranges = await source.ranges(scope, RANGE)
    this.#total = 2 * ranges.reduce((sum, { records }) => sum + records, 0)
  }

  async #sum(side: TransferSource, kind: RecordKind): Promise<Buckets> {
    const buckets = new Buckets()
    await this.#each(side, kind, (carried) => {
      if (carried.fault !== undefined) {
        if (side === this.options.source) this.#unreadable++
      } else buckets.add(bucketOf(keyOfCarried(carried)), carriedDigest(carried, this.#rule))
    })
    return buckets
  }

  async #each(side: TransferSource, kind: RecordKind, look: (carried: Carried) => void): Promise<void> {
    const { scope, signal } = this.options
    const { tenantId } = scope
    for (const range of await side.ranges({ kinds: [kind], tenantId }, RANGE))
      for await (const batch of side.read(range, { after: null, limits: LIMITS, tenantId })) {
        signal?.throwIfAborted()
        for (const carried of batch.records) look(carried)
        this.#read += batch.records.length
        const total = Math.max(this.#total, this.#read)
        this.options.onProgress?.({ phase: 'verify', records: this.#read, total, bytes: 0 })
      }
  }

  /** The records of some buckets that are not the same on both sides. */
  async #differences(kind: RecordKind, buckets: ReadonlySet<number>): Promise<TransferDifference[]> {
    const { source, target, extrasAllowed } = this.options
    const collect = async (side: TransferSource): Promise<Map<string, Named[]>> => {
      const found = new Map<string, Named[]>()
      await this.#each(side, kind, (carried) => {
        if (carried.fault !== undefined) return
        const text = keyOfCarried(carried)
        if (!buckets.has(bucketOf(text))) return
        const named = { key: keyOf(carried), digest: carriedDigest(carried, this.#rule).toString('base64') }
        found.set(text, [...(found.get(text) ?? []), named])
      })
      return found
    }
    const [here, there] = await Promise.all([collect(source), collect(target)])
    const differences: TransferDifference[] = []
    for (const [text, mine] of here) {
      const theirs = there.get(text) ?? []
      const [{ key, digest }] = mine as [Named, ...Named[]]
      if (theirs.length === 0) differences.push({ ...key, what: 'missing', fields: [] })
      // One key twice on a side is one record too many.
      else if (theirs.length > mine.length) differences.push({ ...key, what: 'extra', fields: [] })
      else if (theirs.length < mine.length) differences.push({ ...key, what: 'missing', fields: [] })
      else if (theirs[0]?.digest !== digest) differences.push({ ...key, what: 'different', fields: [] })
    }
    if (!extrasAllowed)
      for (const [text, [named]] of there)
        if (named && !here.has(text)) differences.push({ ...named.key, what: 'extra', fields: [] })
    return differences
  }

  /** Names the fields in which records differ, never what they hold. */
  async #compared(differences: readonly TransferDifference[]): Promise<TransferDifference[]> {
    const { source, target } = this.options
    const wanted = differences.filter(({ what }) => what === 'different').slice(0, COMPARED)
    if (wanted.length === 0) return [...differences]
    const keys = new Set(wanted.map((each) => `${each.kind}\0${each.tenantId}\0${each.scope}\0${each.id}`))
    const collect = async (side: TransferSource): Promise<Map<string, Carried>> => {
      const found = new Map<string, Carried>()
      for (const kind of new Set(wanted.map((each) => each.kind)))
        await this.#each(side, kind, (carried) => {
          const text = `${kind}\0${keyOfCarried(carried)}`
          if (keys.has(text)) found.set(text, carried)
        })
      return found
    }
    const [here, there] = [await collect(source), await collect(target)]
    return differences.map((each) => {
      const text = `${each.kind}\0${each.tenantId}\0${each.scope}\0${each.id}`
      const [mine, theirs] = [here.get(text), there.get(text)]
      if (each.what !== 'different' || !mine || !theirs) return each
      return { ...each, fields: differingFields(mine, theirs, this.#rule) }
    })
  }
}

/** Some of them at a time, so that what they hold fits into memory. */
function* portions(buckets: readonly number[], sizeOf: (bucket: number) => number): Generator<number[]> {
  let some: number[] = []
  let held = 0
  for (const bucket of buckets) {
    if (some.length > 0 && held + sizeOf(bucket) > HELD) {
      yield some
      some = []
      held = 0
    }
    some.push(bucket)
    held += sizeOf(bucket)
  }
  if (some.length > 0) yield some
}
