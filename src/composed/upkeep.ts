import type { VectorSettings } from '../contract/embedder.js'
import type { Followed } from '../contract/follow.js'
import type { EmbeddingOptions } from '../contract/options.js'
import type { CacheVerifyReport, FollowerStatus, Upkeep, VerifyOptions } from '../contract/upkeep.js'
import { NotFoundError, UnsupportedError } from '../errors.js'
import { rebuild } from './rebuild.js'
import type { SemanticMember } from './semantic-member.js'
import { verifyFollower } from './verify.js'

interface UpkeepParts {
  readonly followed: Followed
  readonly semantic: SemanticMember | null
  /** Compares what is cached; null where there is no cache. */
  readonly cache: ((options: VerifyOptions) => Promise<CacheVerifyReport | null>) | null
  readonly vectorSettings: (options: EmbeddingOptions) => Promise<VectorSettings>
  /** There is something to settle. */
  readonly woken: () => void
}

const NO_SEMANTIC = {
  follower: '',
  expected: 0,
  found: 0,
  missing: 0,
  orphan: 0,
  stale: 0,
  keys: { missing: [], orphan: [], stale: [] },
  repaired: 0,
  waiting: 0,
  parked: 0,
}

const needsSemantic = (): never => {
  throw new UnsupportedError('semantic', 'this memory has no semantic store: name one with the option semantic')
}

/** By its name, or by its role. */
async function named(followed: Followed, given: string): Promise<string> {
  const all = await followed.followers()
  const found = all.find(({ name }) => name === given) ?? all.find(({ kind, building }) => kind === given && !building)
  if (!found) throw new NotFoundError('follower')
  return found.name
}

/** Of whoever follows, open or not. */
export function followerVerbs({
  followed,
  woken,
}: Pick<UpkeepParts, 'followed' | 'woken'>): Pick<Upkeep, 'followers' | 'requeue' | 'unfollow'> {
  return {
    async followers(): Promise<FollowerStatus[]> {
      const [records, depths] = await Promise.all([followed.followers(), followed.depths()])
      return records.map(({ name, kind, state, place, building }) => {
        const { depth = 0, oldestAge = 0, parked = 0 } = depths.find(({ follower }) => follower === name) ?? {}
        return { follower: name, kind, state: building ? 'building' : state, place, depth, oldestAge, parked }
      })
    },
    async requeue(follower) {
      const names =
        follower === undefined
          ? (await followed.followers()).map(({ name }) => name)
          : [await named(followed, follower)]
      let requeued = 0
      for (const name of names) requeued += await followed.requeue(name)
      if (requeued > 0) woken()
      return requeued
    },
    async unfollow(follower) {
      return followed.unfollow(await named(followed, follower))
    },
  }
}

export function makeUpkeep({ followed, semantic, cache, vectorSettings, woken }: UpkeepParts): Upkeep {
  return {
    ...followerVerbs({ followed, woken }),
    async verify(options) {
      const cached = cache ? await cache(options) : null
      if (!semantic) return { ...NO_SEMANTIC, cache: cached }
      const store = await semantic.store()
      const { follower } = semantic
      const verifying = { followed, follower: follower.name, store, clock: semantic.parts.clock }
      const report = await verifyFollower(verifying, options)
      if (report.repaired > 0) woken()
      return { ...report, cache: cached }
    },
    async rebuild(options) {
      if (!semantic) return needsSemantic()
      const { parts, follower: current } = semantic
      return rebuild({ followed, current, parts, vectorSettings }, options)
    },
  }
}
