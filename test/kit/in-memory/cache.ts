import type { CacheEntry, CacheScope } from '../../../src/backend-kit.js'

/** Cached values of a store, with how often each key was changed. */
export class Cache {
  readonly #entries = new Map<string, CacheEntry>()
  readonly #changes = new Map<string, number>()

  scope(tenantId: string, clock: () => number): CacheScope {
    const nameOf = (key: string): string => JSON.stringify([tenantId, key])
    const alive = (key: string): CacheEntry | null => {
      const entry = this.#entries.get(nameOf(key))
      return entry && entry.until > clock() ? entry : null
    }
    const version = (key: string): string => String(this.#changes.get(nameOf(key)) ?? 0)
    return {
      get: async (key) => alive(key)?.text ?? null,
      apply: async (changes) => {
        for (const [key, entry] of changes) {
          const name = nameOf(key)
          // A deletion counts too: what was being loaded before it must not come back.
          this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1)
          if (entry) this.#entries.set(name, entry)
          else this.#entries.delete(name)
        }
      },
      expire: async (key, until) => {
        const entry = alive(key)
        if (entry) this.#entries.set(nameOf(key), { ...entry, until })
        return entry !== null
      },
      look: async (key) => ({ text: alive(key)?.text ?? null, version: version(key) }),
      fill: async (key, seen, entry) => {
        if (version(key) !== seen) return false
        this.#entries.set(nameOf(key), entry)
        return true
      },
    }
  }
}
