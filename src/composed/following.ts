import { setTimeout as sleep } from 'node:timers/promises'
import type { Followed, FollowerPlan, FollowerRecord, FollowerSettling } from '../contract/follow.js'
import { TimeoutError } from '../errors.js'
import { SEARCH_KINDS } from '../model/records.js'
import type { Settler } from '../unit/settler.js'
import type { CacheMember } from './cache-member.js'
import type { ReadCache } from './read-cache.js'

/** One that follows, and what keeps it up. */
export interface Following {
  readonly follower: FollowerRecord
  readonly settling: FollowerSettling
  readonly settler: Settler
}

const LONGEST_PAUSE = 50

interface Told {
  readonly tenantId: string
  /** Of followers. */
  readonly names: readonly string[]
  /** Milliseconds. */
  readonly deadline: number
}

/** Waits until followers were told of everything that a tenant has written. */
export async function untilTold(
  followed: Followed,
  following: () => readonly Following[],
  { tenantId, names, deadline }: Told,
): Promise<void> {
  const until = performance.now() + deadline
  for (let pause = 1; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
    for (const { follower, settler } of following()) if (names.includes(follower.name)) settler.poke()
    const left = await Promise.all(names.map((name) => followed.waiting(tenantId, name)))
    if (left.every((n) => n === 0)) return
    if (performance.now() > until)
      throw new TimeoutError(
        `what was written is stored, and others have not been told of it within ${deadline} ms: it goes on in the background`,
      )
    await sleep(pause)
  }
}

/**
 * What a cache holds is believed when it was told of everything that was written before it came back.
 *
 * @returns To be called where the cache is doubted for another reason.
 */
export function regaining(
  { followed, member, reads }: { readonly followed: Followed; readonly member: CacheMember; readonly reads: ReadCache },
  cache: () => Following | undefined,
): () => void {
  let latest = 0
  const regain = async (): Promise<void> => {
    const own = ++latest
    let back: number | null = null
    for (let pause = 2; own === latest && !member.away && !reads.trusted; pause = Math.min(1000, pause * 2)) {
      const following = cache()
      if (!following) return
      const before = await followed.pendingSince(following.follower.name).catch(() => null)
      back ??= before?.now ?? null
      following.settler.poke()
      const told = before !== null && back !== null && (before.oldest === null || before.oldest > back)
      const replaced = !told || (await isReplaced(followed, following).catch(() => true))
      if (!replaced && own === latest) return reads.trust()
      await sleep(pause, undefined, { ref: false })
    }
  }
  member.onAway = () => reads.doubt()
  member.onBack = () => void regain()
  if (!member.away) void regain()
  return () => void regain()
}

/** Whether another process has put another one in its place. */
const isReplaced = async (followed: Followed, { follower }: Following): Promise<boolean> =>
  !(await followed.followers()).some(({ name, place }) => name === follower.name && place === follower.place)

export const planOf = (name: 'semantic' | 'cache', place: string): FollowerPlan => ({
  name,
  kind: name,
  kinds: name === 'cache' ? [...SEARCH_KINDS, 'conversation', 'cache'] : SEARCH_KINDS,
  place,
})
