import type { LRUCache } from 'lru-cache'
import type { CacheEntry, CacheScope } from '../contract/backend.js'
import type { EraseTarget } from '../contract/erase.js'

const MAX_ENTRIES = 10_000
const MAX_BYTES = 64 * 1024 * 1024
const MAX_VERSIONS = 20_000

interface Loaded {
  readonly entries: LRUCache<string, CacheEntry>
  /** When each key was last changed, as a count of all changes. */
  readonly versions: LRUCache<string, number>
}

/** The cache of a memory without a cache backend: in this process, least recently used out first. */
export class ProcessCache {
  #loaded: Promise<Loaded> | null = null
  #changes = 0
  /** What is said of a key whose last change is no longer known: it is at most this old. */
  #floor = 0
  constructor(readonly clock: () => number) {}

  #load(): Promise<Loaded> {
    this.#loaded ??= import('lru-cache').then(({ LRUCache: Cache }) => ({
      entries: new Cache<string, CacheEntry>({
        max: MAX_ENTRIES,
        maxSize: MAX_BYTES,
        sizeCalculation: (entry, key) => entry.text.length + key.length + 1,
      }),
      versions: new Cache<string, number>({
        max: MAX_VERSIONS,
        dispose: (version, _key, reason) => {
          if (reason === 'evict') this.#floor = Math.max(this.#floor, version)
        },
      }),
    }))
    return this.#loaded
  }

  /** To be erased from; null where nothing was ever cached here. */
  get erasing(): EraseTarget | null {
    const loading = this.#loaded
    if (!loading) return null
    const keysOf = ({ entries }: Loaded, tenantId: string): string[] => {
      const begin = `${JSON.stringify([tenantId]).slice(0, -1)},`
      return [...entries.keys()].filter((name) => name.startsWith(begin))
    }
    // What is put here later is of later: all that there was goes in one turn.
    let gone = false
    return {
      name: 'cache of this process',
      look: async ({ tenantId }) => ({ 'cached values': gone ? 0 : keysOf(await loading, tenantId).length }),
      erase: async ({ tenantId }) => {
        const loaded = await loading
        const names = keysOf(loaded, tenantId)
        for (const name of names) {
          loaded.versions.set(name, ++this.#changes)
          loaded.entries.delete(name)
        }
        gone = true
        return { 'cached values': names.length }
      },
      scrub: async () => [],
      ages: async () => ['values that other processes keep in caches of their own, until they end'],
    }
  }

  scope(tenantId: string): CacheScope {
    const nameOf = (key: string): string => JSON.stringify([tenantId, key])
    const alive = ({ entries }: Loaded, name: string): CacheEntry | null => {
      const entry = entries.get(name)
      if (!entry || entry.until > this.clock()) return entry ?? null
      entries.delete(name)
      return null
    }
    const version = ({ versions }: Loaded, name: string): string => String(versions.get(name) ?? this.#floor)
    return {
      get: async (key) => alive(await this.#load(), nameOf(key))?.text ?? null,
      apply: async (changes) => {
        const loaded = await this.#load()
        for (const [key, entry] of changes) {
          const name = nameOf(key)
          loaded.versions.set(name, ++this.#changes)
          if (entry) loaded.entries.set(name, entry)
          else loaded.entries.delete(name)
        }
      },
      expire: async (key, until) => {
        const loaded = await this.#load()
        const entry = alive(loaded, nameOf(key))
        if (entry) loaded.entries.set(nameOf(key), { ...entry, until })
        return entry !== null
      },
      look: async (key) => {
        const loaded = await this.#load()
        return { text: alive(loaded, nameOf(key))?.text ?? null, version: version(loaded, nameOf(key)) }
      },
      fill: async (key, expected, entry) => {
        const loaded = await this.#load()
        const fits = version(loaded, nameOf(key)) === expected
        if (fits) loaded.entries.set(nameOf(key), entry)
        return fits
      },
    }
  }
}
