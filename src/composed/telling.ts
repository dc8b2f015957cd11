import type { Followed, SemanticTarget } from '../contract/follow.js'
import type { CacheMember } from './cache-member.js'
import type { ReadCache } from './read-cache.js'
import type { SemanticMember } from './semantic-member.js'

interface Telling {
  readonly semantic: SemanticMember
  readonly followed: Followed
  readonly cache: { readonly member: CacheMember; readonly reads: ReadCache | null } | null
  /** By which name the cache follows; undefined where it does not. */
  readonly cacheName: () => string | undefined
}

/** A semantic store that is told, and the cache after it: what a search finds changes with what the semantic store has. */
export const telling = ({ semantic, followed, cache, cacheName }: Telling): SemanticTarget => ({
  sideBySide: semantic.sideBySide,
  callTimeout: semantic.callTimeout,
  attend: () => semantic.attend(),
  forget: (before) => semantic.forget(before),
  async bring(states) {
    await semantic.bring(states)
    if (!cache?.reads) return
    await cache.reads.found(states.map(({ tenantId }) => tenantId))
    const name = cacheName()
    // It is told when it is back, before it is believed.
    if (cache.member.away && name !== undefined) await followed.enqueue(name, states)
  },
})
