import { createHash } from 'node:crypto'
import { keyOf } from '../backends/vector/point.js'
import { seqOf } from '../backends/vector/semantic.js'
import type { VectorStore } from '../backends/vector/store.js'
import type { ExpectedEntry, Followed } from '../contract/follow.js'
import { SEARCH_KINDS } from '../model/records.js'

/** A record as one of the two sides has it. */
export interface Side extends ExpectedEntry {
  /** Of its point. */
  readonly key: string
}

/** What both sides are compared by: many records each, so that little is kept of them. */
const BUCKETS = 4096
const PAGE = 2000
/** Records of one side that are kept at a time. */
const MOST = 100_000
const SUM = 2 ** 48

type Pages = AsyncIterable<readonly Side[]>

export interface Sides {
  readonly expected: () => Pages
  readonly found: () => Pages
}

async function* expectedOf(followed: Followed, tenantId: string | undefined): Pages {
  for (const kind of SEARCH_KINDS) {
    for (let after = 0; ; ) {
      const page = await followed.expected({ kind, after, limit: PAGE, tenantId })
      if (page.length > 0) yield page.map((each) => ({ ...each, key: keyOf(each.tenantId, kind, each.scope, each.id) }))
      const last = page.at(-1)
      if (page.length < PAGE || !last) break
      after = last.seq
    }
  }
}

async function* foundOf(store: VectorStore, tenantId: string | undefined): Pages {
  for await (const page of store.entries(tenantId === undefined ? {} : { tenantId }))
    yield page.map(({ rest, ...entry }) => ({ ...entry, seq: seqOf(rest) }))
}

export const sidesOf = (followed: Followed, store: VectorStore, tenantId: string | undefined): Sides => ({
  expected: () => expectedOf(followed, tenantId),
  found: () => foundOf(store, tenantId),
})

const bucketOf = ({ key }: Side): number => Number.parseInt(key.slice(0, 3), 16)

/** How many records each bucket has, and a sum over their keys and revisions. */
class Digest {
  readonly counts = new Float64Array(BUCKETS)
  readonly sums = new Float64Array(BUCKETS)
  total = 0

  add(side: Side): void {
    const bucket = bucketOf(side)
    const hash = createHash('sha1').update(`${side.key} ${side.revision} ${side.seq}`).digest().readUIntBE(0, 6)
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sums[bucket] = ((this.sums[bucket] as number) + hash) % SUM
    this.total++
  }
}

async function digestOf(pages: Pages, read: (n: number) => void): Promise<Digest> {
  const digest = new Digest()
  for await (const page of pages) {
    for (const side of page) digest.add(side)
    read(page.length)
  }
  return digest
}

/** The buckets that differ, in groups small enough to be looked at whole. */
function* groups(a: Digest, b: Digest): Generator<Set<number>> {
  let group = new Set<number>()
  let size = 0
  for (let i = 0; i < BUCKETS; i++) {
    if (a.counts[i] === b.counts[i] && a.sums[i] === b.sums[i]) continue
    const more = Math.max(a.counts[i] as number, b.counts[i] as number)
    if (group.size > 0 && size + more > MOST) {
      yield group
      group = new Set()
      size = 0
    }
    group.add(i)
    size += more
  }
  if (group.size > 0) yield group
}

export interface Difference {
  readonly expected: Side | null
  readonly found: Side | null
}

export interface Compared {
  readonly expected: number
  readonly found: number
}

async function collect(
  pages: Pages,
  group: ReadonlySet<number>,
  read: (n: number) => void,
): Promise<Map<string, Side>> {
  const sides = new Map<string, Side>()
  for await (const page of pages) {
    for (const side of page) if (group.has(bucketOf(side))) sides.set(side.key, side)
    read(page.length)
  }
  return sides
}

/**
 * Compares two sides by digests over buckets of records, and looks at the records of the buckets that differ. Both sides
 * may change meanwhile: what differs is looked at again by whoever asks.
 */
export async function compareSides(
  { expected, found }: Sides,
  differs: (differences: readonly Difference[]) => Promise<void>,
  read: (n: number) => void,
): Promise<Compared> {
  const ours = await digestOf(expected(), read)
  const theirs = await digestOf(found(), read)
  for (const group of groups(ours, theirs)) {
    const here = await collect(expected(), group, read)
    const there = await collect(found(), group, read)
    const differences: Difference[] = []
    for (const [key, side] of here) {
      const other = there.get(key) ?? null
      there.delete(key)
      if (other?.revision !== side.revision || other.seq !== side.seq)
        differences.push({ expected: side, found: other })
    }
    for (const side of there.values()) differences.push({ expected: null, found: side })
    await differs(differences)
  }
  return { expected: ours.total, found: theirs.total }
}
