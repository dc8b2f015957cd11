import type { BackendScope } from '../contract/backend.js'
import type { Followed } from '../contract/follow.js'
import type { CacheVerifyReport, VerifyOptions } from '../contract/upkeep.js'
import type { CacheMember } from './cache-member.js'
import { loadWindow } from './cached-scope.js'
import type { ReadCache } from './read-cache.js'

interface CacheVerifying {
  readonly followed: Followed
  readonly follower: string
  readonly member: CacheMember
  readonly reads: ReadCache
  readonly window: number
  /** Of the primary itself. */
  readonly scope: (tenantId: string) => BackendScope
}

/** Looks at a conversation that changes all the time, before it is left to the next verification. */
const LOOKS = 3

/** Whether what is cached differs from the primary in the same way between two looks, and nothing is still to be told. */
async function isStale(verifying: CacheVerifying, tenantId: string, key: string): Promise<boolean> {
  const { followed, follower, member, reads, window, scope } = verifying
  const conversation = reads.conversationOf(key)
  const cached = () => member.use(tenantId, (cache) => cache.get(key))
  for (let look = 0; look < LOOKS; look++) {
    const before = await cached()
    if (before === null || conversation === null) return false
    const { text } = await loadWindow(scope(tenantId), conversation, window)
    if (text === before) return false
    const told = (await followed.waiting(tenantId, follower)) === 0
    if (told && (await cached()) === before)
      return (await loadWindow(scope(tenantId), conversation, window)).text === text
  }
  return false
}

/** Compares every end of a conversation that is cached with the primary. What is outdated is forgotten if wanted. */
export async function verifyCache(
  verifying: CacheVerifying,
  { tenantId: only, repair = false }: VerifyOptions,
): Promise<CacheVerifyReport | null> {
  const { member, reads } = verifying
  const pages = member.backend?.cachedKeys?.()
  if (!pages) return null
  const seen = new Set<string>()
  let stale = 0
  for await (const page of pages)
    for (const { tenantId, key } of page) {
      const name = JSON.stringify([tenantId, key])
      if ((only !== undefined && tenantId !== only) || reads.conversationOf(key) === null || seen.has(name)) continue
      seen.add(name)
      if (!(await isStale(verifying, tenantId, key))) continue
      stale++
      if (repair) await member.use(tenantId, (cache) => cache.apply(new Map([[key, null]])))
    }
  return { found: seen.size, stale }
}
