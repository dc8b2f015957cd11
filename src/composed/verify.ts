import { seqOf } from '../backends/vector/semantic.js'
import type { VectorStore } from '../backends/vector/store.js'
import type { Followed } from '../contract/follow.js'
import type { DifferingRecord, VerifyOptions, VerifyReport } from '../contract/upkeep.js'
import { compareSides, type Difference, type Side, sidesOf } from './difference.js'

const BATCH = 500
const TOLD = 1000

export interface Verifying {
  readonly followed: Followed
  readonly follower: string
  readonly store: VectorStore
  readonly clock: () => number
}

type Kind = 'missing' | 'orphan' | 'stale'

interface Found extends DifferingRecord {
  readonly difference: Kind
  readonly key: string
  /** Higher than what the primary would tell. */
  readonly ahead: boolean
}

const recordOf = ({ tenantId, kind, scope, id }: Side): DifferingRecord => ({ tenantId, kind, scope, id })

const chunks = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / BATCH) }, (_, i) => items.slice(i * BATCH, (i + 1) * BATCH))

function grouped(sides: readonly Side[]): Iterable<Side[]> {
  const groups = new Map<string, Side[]>()
  for (const side of sides) {
    const name = JSON.stringify([side.tenantId, side.kind])
    const group = groups.get(name)
    if (group) group.push(side)
    else groups.set(name, [side])
  }
  return groups.values()
}

/** Looks at a record that changes all the time, before it is left to the next verification. */
const LOOKS = 5

type State = Awaited<ReturnType<Followed['lookUp']>>[number]

const same = (a: State | undefined, b: State | undefined): boolean =>
  a !== undefined && b !== undefined && a.revision === b.revision && a.seq === b.seq && !a.waits && !b.waits

async function pointsOf(store: VectorStore, sides: readonly Side[]) {
  const points = new Map<string, { readonly revision: number; readonly seq: number }>()
  for (const group of grouped(sides)) {
    const [{ tenantId, kind }] = group as [Side]
    const keys = group.map(({ key }) => key)
    for (const { key, revision, rest } of await store.tenant(tenantId).fetch(kind, keys))
      points.set(key, { revision, seq: seqOf(rest) })
  }
  return points
}

/**
 * Looks again at what differed: both sides may have changed since, and some records' turn is still to come. A record
 * differs where the primary did not change between two looks, has nothing to tell of it, and the follower in between has
 * something else.
 */
async function confirm({ followed, follower, store }: Verifying, differences: readonly Difference[]): Promise<Found[]> {
  const found: Found[] = []
  let left = differences.map((each) => (each.expected ?? each.found) as Side)
  for (let look = 0; look < LOOKS && left.length > 0; look++) {
    const before = await followed.lookUp(follower, left)
    const points = await pointsOf(store, left)
    const after = await followed.lookUp(follower, left)
    const moving: Side[] = []
    for (const [i, side] of left.entries()) {
      const here = after[i] as State
      if (!same(before[i], here)) {
        if (!here.waits) moving.push(side)
        continue
      }
      const there = points.get(side.key)
      if (here.revision === (there?.revision ?? null) && here.seq === (there?.seq ?? null)) continue
      const difference = here.revision === null ? 'orphan' : there ? 'stale' : 'missing'
      const ahead = there !== undefined && here.revision !== null && there.revision > here.revision
      found.push({ ...recordOf(side), key: side.key, difference, ahead })
    }
    left = moving
  }
  return found
}

/** Hands records to the follower again; what stands in the way of the primary's state is removed first. */
async function mend({ followed, follower, store, clock }: Verifying, found: readonly Found[]): Promise<void> {
  if (found.some(({ difference }) => difference === 'missing')) await store.forgetTombstones(clock())
  for (const { tenantId, kind, key } of found.filter(({ ahead }) => ahead))
    await store.tenant(tenantId).remove(kind, [key])
  await followed.enqueue(follower, found)
}

/** How a semantic store differs from the primary, record by record; what differs twice is told, and repaired if wanted. */
export async function verifyFollower(
  verifying: Verifying,
  options: VerifyOptions,
): Promise<Omit<VerifyReport, 'cache'>> {
  const { followed, follower, store } = verifying
  const { tenantId, repair = false, onProgress } = options
  const counts = { missing: 0, orphan: 0, stale: 0 }
  const keys: Record<Kind, DifferingRecord[]> = { missing: [], orphan: [], stale: [] }
  const { records } = await followed.estimate()
  let repaired = 0
  let read = 0
  let highest = 0
  const differs = async (differences: readonly Difference[]): Promise<void> => {
    for (const { found } of differences) highest = Math.max(highest, found?.revision ?? 0)
    for (const some of chunks(differences)) {
      const found = await confirm(verifying, some)
      for (const { difference, key: _k, ahead: _a, ...record } of found) {
        counts[difference]++
        if (keys[difference].length < TOLD) keys[difference].push(record)
      }
      if (!repair || found.length === 0) continue
      // What is there may be of a later life of the primary than the one that was restored.
      await followed.raiseRevision(highest)
      await mend(verifying, found)
      repaired += found.length
    }
  }
  const compared = await compareSides(sidesOf(followed, store, tenantId), differs, (n) => {
    read += n
    onProgress?.({ read, total: Math.max(read, 2 * records) })
  })
  const depth = (await followed.depths()).find((each) => each.follower === follower)
  const { depth: waiting = 0, parked = 0 } = depth ?? {}
  return { follower, ...compared, ...counts, keys, repaired, waiting, parked }
}
