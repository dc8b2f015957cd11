import type { LRUCache } from 'lru-cache'
import type { CacheRepository } from '../contract/repositories.js'
import { ValidationError } from '../errors.js'
import { copyJson } from '../model/json.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import type { JsonValue } from '../model/records.js'

const MAX_ENTRIES = 10_000
const MAX_BYTES = 64 * 1024 * 1024
const MAX_VALUE = 4 * 1024 * 1024

interface Entry {
  readonly text: string
  /** Milliseconds since the epoch, or infinity. */
  readonly until: number
}

/** The cache of a memory without a cache backend: in this process, least recently used out first. */
export class ProcessCache {
  #entries: Promise<LRUCache<string, Entry>> | null = null
  constructor(readonly clock: () => number) {}

  #load(): Promise<LRUCache<string, Entry>> {
    this.#entries ??= import('lru-cache').then(
      ({ LRUCache: Cache }) =>
        new Cache<string, Entry>({
          max: MAX_ENTRIES,
          maxSize: MAX_BYTES,
          sizeCalculation: (entry, key) => entry.text.length + key.length + 1,
        }),
    )
    return this.#entries
  }

  async get(tenantId: string, key: string): Promise<JsonValue | null> {
    const entries = await this.#load()
    const name = JSON.stringify([tenantId, key])
    const entry = entries.get(name)
    if (!entry) return null
    if (entry.until <= this.clock()) {
      entries.delete(name)
      return null
    }
    return JSON.parse(entry.text) as JsonValue
  }

  async apply(tenantId: string, changes: ReadonlyMap<string, Entry | null>): Promise<void> {
    const entries = await this.#load()
    for (const [key, entry] of changes) {
      const name = JSON.stringify([tenantId, key])
      if (entry) entries.set(name, entry)
      else entries.delete(name)
    }
  }
}

function entryOf(value: unknown, ttl: unknown, now: number): Entry {
  if (ttl !== undefined && !(typeof ttl === 'number' && ttl > 0 && ttl <= 10 ** 9))
    throw new ValidationError('ttl', 'must be a number of seconds above 0')
  const text = JSON.stringify(copyJson(value, 'value', { bytes: MAX_VALUE, depth: 64 }))
  return { text, until: ttl === undefined ? Number.POSITIVE_INFINITY : now + (ttl as number) * 1000 }
}

/** Cache writes of one unit: they take effect when it has been committed. */
export class CacheChanges {
  readonly #changes = new Map<string, Entry | null>()
  constructor(
    readonly cache: ProcessCache,
    readonly tenantId: string,
    /** The changes of the outer unit, which this one sees too. */
    readonly outer: CacheChanges | null,
  ) {}

  /** The changed entry; null where it was deleted; undefined where nothing was changed. */
  #own(key: string): Entry | null | undefined {
    const own = this.#changes.get(key)
    return own === undefined && this.outer ? this.outer.#own(key) : own
  }

  /** `enter` is how a call gets its turn. */
  repository(enter: <T>(work: () => Promise<T>) => Promise<T>): CacheRepository {
    return {
      get: async <T extends JsonValue>(key: string) => {
        const name = checkId(key, 'key')
        return enter(async () => {
          const own = this.#own(name)
          if (own === undefined) return (await this.cache.get(this.tenantId, name)) as T | null
          return own && (JSON.parse(own.text) as T)
        })
      },
      set: async (key, value, options = {}) => {
        const name = checkId(key, 'key')
        checkNames(options, ['ttl'])
        const entry = entryOf(value, options.ttl, this.cache.clock())
        return enter(async () => {
          this.#changes.set(name, entry)
        })
      },
      delete: async (key) => {
        const name = checkId(key, 'key')
        return enter(async () => {
          this.#changes.set(name, null)
        })
      },
    }
  }

  /** What a nested unit changed becomes the outer one's. */
  merge(inner: CacheChanges): void {
    for (const [key, entry] of inner.#changes) this.#changes.set(key, entry)
  }

  apply(): Promise<void> {
    return this.#changes.size === 0 ? Promise.resolve() : this.cache.apply(this.tenantId, this.#changes)
  }
}
