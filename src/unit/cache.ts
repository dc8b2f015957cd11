import type { Backend, CacheEntry, CacheScope } from '../contract/backend.js'
import type { CacheRepository, CacheSetOptions } from '../contract/repositories.js'
import { ConnectionError, OverloadedError, StorageError, TimeoutError, ValidationError } from '../errors.js'
import { copyJson } from '../model/json.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import type { JsonValue } from '../model/records.js'
import type { ProcessCache } from './own-cache.js'

const MAX_VALUE = 4 * 1024 * 1024

function checkTtl(ttl: unknown, now: number): number {
  if (!(typeof ttl === 'number' && ttl > 0 && ttl <= 10 ** 9))
    throw new ValidationError('ttl', 'must be a number of seconds above 0')
  return now + ttl * 1000
}

function untilOf(options: CacheSetOptions, now: number): number {
  checkNames(options, ['ttl'])
  return options.ttl === undefined ? Number.POSITIVE_INFINITY : checkTtl(options.ttl, now)
}

const textOf = (value: unknown): string => JSON.stringify(copyJson(value, 'value', { bytes: MAX_VALUE, depth: 64 }))

// A JSON error quotes the text: it must not become the cause.
function parsed<T extends JsonValue>(text: string): T {
  try {
    return JSON.parse(text) as T
  } catch {
    throw new StorageError('a cached value cannot be read')
  }
}

const isAway = (error: unknown): boolean =>
  error instanceof ConnectionError || error instanceof TimeoutError || error instanceof OverloadedError

/** A cache that is down is a miss. */
async function orMiss<T>(reading: Promise<T>, miss: T): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (isAway(error)) return miss
    throw error
  }
}

/** The cache of a memory: the backend's where it has one, otherwise this process's own. */
export class Caches {
  readonly #loading = new Map<string, Promise<JsonValue>>()
  constructor(
    readonly own: ProcessCache,
    readonly clock: () => number,
  ) {}

  scope(backend: Backend, tenantId: string): CacheScope {
    return backend.scope(tenantId).cache ?? this.own.scope(tenantId)
  }

  /** Outside a unit a write takes effect at once. `enter` runs the work on the open backend's cache. */
  repository(tenantId: string, enter: <T>(work: (scope: CacheScope) => Promise<T>) => Promise<T>): CacheRepository {
    const apply = (key: string, entry: CacheEntry | null): Promise<void> =>
      enter((scope) => this.changing(tenantId, [key], () => scope.apply(new Map([[key, entry]]))))
    return {
      get: async <T extends JsonValue>(key: string) => {
        checkId(key, 'key')
        const text = await enter((scope) => orMiss(scope.get(key), null))
        return text === null ? null : parsed<T>(text)
      },
      set: async (key, value, options = {}) => {
        checkId(key, 'key')
        await apply(key, { until: untilOf(options, this.clock()), text: textOf(value) })
      },
      delete: async (key) => apply(checkId(key, 'key'), null),
      expire: async (key, ttl) => {
        checkId(key, 'key')
        const until = checkTtl(ttl, this.clock())
        return enter((scope) => scope.expire(key, until))
      },
      getOrLoad: async <T extends JsonValue>(key: string, load: () => Promise<T>, options: CacheSetOptions = {}) => {
        checkId(key, 'key')
        checkLoad(load)
        untilOf(options, this.clock())
        return enter((scope) => this.#once(tenantId, key, () => this.#fill(scope, key, load, options))) as Promise<T>
      },
    }
  }

  /** Whoever asks behind a change must not be given what an older load brings. */
  async changing(tenantId: string, keys: Iterable<string>, work: () => Promise<void>): Promise<void> {
    await work()
    for (const key of keys) this.#loading.delete(JSON.stringify([tenantId, key]))
  }

  /** One load at a time for each key; the others get what it gets, each a copy of its own. */
  async #once(tenantId: string, key: string, work: () => Promise<JsonValue>): Promise<JsonValue> {
    const name = JSON.stringify([tenantId, key])
    const running = this.#loading.get(name)
    if (running !== undefined) return structuredClone(await running)
    const started = work().finally(() => {
      if (this.#loading.get(name) === started) this.#loading.delete(name)
    })
    this.#loading.set(name, started)
    return structuredClone(await started)
  }

  async #fill(
    scope: CacheScope,
    key: string,
    load: () => Promise<JsonValue>,
    options: CacheSetOptions,
  ): Promise<JsonValue> {
    const found = await orMiss(scope.look(key), null)
    if (found && found.text !== null) return parsed(found.text)
    const value = await load()
    const text = textOf(value)
    if (found) await orMiss(scope.fill(key, found.version, { text, until: untilOf(options, this.clock()) }), false)
    return parsed(text)
  }
}

function checkLoad(load: unknown): void {
  if (typeof load !== 'function') throw new ValidationError('load', 'must be a function')
}

/** Cache writes of one unit: they take effect when it has been committed. */
export class CacheChanges {
  readonly #changes = new Map<string, CacheEntry | null>()
  constructor(
    readonly cache: CacheScope,
    readonly clock: () => number,
    /** The changes of the outer unit, which this one sees too. */
    readonly outer: CacheChanges | null,
  ) {}

  /** The changed entry; null where it was deleted; undefined where nothing was changed. */
  #own(key: string): CacheEntry | null | undefined {
    const own = this.#changes.get(key)
    return own === undefined && this.outer ? this.outer.#own(key) : own
  }

  async #text(key: string): Promise<string | null> {
    const own = this.#own(key)
    return own === undefined ? orMiss(this.cache.get(key), null) : (own?.text ?? null)
  }

  /** `enter` is how a call gets its turn. */
  repository(enter: <T>(work: () => Promise<T>) => Promise<T>): CacheRepository {
    const change = (key: string, entry: CacheEntry | null): Promise<void> =>
      enter(async () => {
        this.#changes.set(key, entry)
      })
    return {
      get: async <T extends JsonValue>(key: string) => {
        checkId(key, 'key')
        const text = await enter(() => this.#text(key))
        return text === null ? null : parsed<T>(text)
      },
      set: async (key, value, options = {}) => {
        checkId(key, 'key')
        await change(key, { until: untilOf(options, this.clock()), text: textOf(value) })
      },
      delete: async (key) => change(checkId(key, 'key'), null),
      expire: async (key, ttl) => {
        checkId(key, 'key')
        const until = checkTtl(ttl, this.clock())
        return enter(async () => {
          const text = await this.#text(key)
          if (text !== null) this.#changes.set(key, { text, until })
          return text !== null
        })
      },
      getOrLoad: async <T extends JsonValue>(key: string, load: () => Promise<T>, options: CacheSetOptions = {}) => {
        checkId(key, 'key')
        checkLoad(load)
        untilOf(options, this.clock())
        const text = await enter(() => this.#text(key))
        // The unit may yet be rolled back: what it saw is not for others.
        return parsed<T>(text ?? textOf(await load()))
      },
    }
  }

  /** What a nested unit changed becomes the outer one's. */
  merge(inner: CacheChanges): void {
    for (const [key, entry] of inner.#changes) this.#changes.set(key, entry)
  }

  /** Keys that are changed. */
  get keys(): Iterable<string> {
    return this.#changes.keys()
  }

  get size(): number {
    return this.#changes.size
  }

  apply(): Promise<void> {
    return this.#changes.size === 0 ? Promise.resolve() : this.cache.apply(this.#changes)
  }

  /**
   * The same where others forget the keys if this process does not come to it.
   *
   * @param told To be called when they are changed; null where nobody else looks after them. It answers false where others
   * have changed them meanwhile: then they are forgotten, for the older change may have come last.
   */
  async applyAfter(told: (() => Promise<boolean>) | null): Promise<void> {
    if (!told) return this.apply()
    try {
      await this.apply()
    } catch (error) {
      // The unit is stored: a cache that is away is told later.
      if (isAway(error)) return
      throw error
    }
    const last = await told().catch(() => true)
    if (!last) await orMiss(this.cache.apply(new Map([...this.#changes.keys()].map((key) => [key, null]))), undefined)
  }
}
