import type { CacheScope } from '../../contract/backend.js'
import { StorageError } from '../../errors.js'
import type { RedisStore } from './context.js'
import type { TenantKeys } from './keys.js'
import { CACHE, FILL } from './scripts.js'

/** Milliseconds that a version is known: longer than any load takes. */
const VERSION_KEPT = 3_600_000

/** A value with its end by the memory's clock; Redis's own clock only frees the room. */
const encode = (text: string, until: number): string => `${Number.isFinite(until) ? until : ''}:${text}`

function decode(value: string | null, now: number): string | null {
  if (value === null) return null
  const colon = value.indexOf(':')
  if (colon < 0) throw new StorageError('a cached value cannot be read')
  const until = value.slice(0, colon)
  return until !== '' && Number(until) <= now ? null : value.slice(colon + 1)
}

/** The cache of one tenant. What expires does so by the clock of the memory, and never later than Redis's. */
export function redisCache(store: RedisStore, keys: TenantKeys): CacheScope {
  const { client, clock } = store
  const left = (until: number): string =>
    Number.isFinite(until) ? String(Math.max(1, Math.ceil(until - clock()))) : ''
  const defaultEnd = (until: number): number =>
    Number.isFinite(until) || store.ttl === null ? until : clock() + store.ttl
  return {
    get: async (key) => decode(await client.call((c) => c.get(keys.cached(key))), clock()),
    async apply(changes) {
      const names: string[] = []
      const args: string[] = [store.token(), String(VERSION_KEPT)]
      for (const [key, entry] of changes) {
        names.push(keys.cached(key), keys.cachedVersion(key))
        const until = entry ? defaultEnd(entry.until) : 0
        args.push(entry ? encode(entry.text, until) : '', entry ? left(until) : '')
      }
      await client.run(CACHE, names, args)
    },
    async expire(key, until) {
      const found = decode(await client.call((c) => c.get(keys.cached(key))), clock())
      if (found === null) return false
      await client.run(
        CACHE,
        [keys.cached(key), keys.cachedVersion(key)],
        [store.token(), VERSION_KEPT, encode(found, until), left(until)],
      )
      return true
    },
    async look(key) {
      const [value, version] = await client.call((c) =>
        Promise.all([c.get(keys.cached(key)), c.get(keys.cachedVersion(key))]),
      )
      return { text: decode(value, clock()), version: version ?? '' }
    },
    async fill(key, version, entry) {
      const until = defaultEnd(entry.until)
      const names = [keys.cached(key), keys.cachedVersion(key)]
      return (await client.run(FILL, names, [version, encode(entry.text, until), left(until)])) === 1
    },
  }
}
