import type { Backend, CacheScope } from '../contract/backend.js'
import type { Logger } from '../contract/telemetry.js'
import { BrunoMemoryError, ConfigurationError, ConnectionError } from '../errors.js'

/** Milliseconds between two looks whether a cache that went away is back. */
const LOOK = 250
const LONGEST_LOOK = 5000

/** The cache, which may be away at any time: then nothing waits for it. */
export class CacheMember {
  #backend: Backend | null = null
  #away = true
  #closed = false
  #timer: NodeJS.Timeout | null = null
  #looks = 0
  /** Told when the cache went away: what it holds may be outdated when it is back. */
  onAway: () => void = () => undefined
  onBack: () => void = () => undefined

  constructor(
    readonly load: () => Promise<Backend>,
    readonly logger?: Logger | undefined,
  ) {}

  get away(): boolean {
    return this.#away
  }
  get backend(): Backend | null {
    return this.#away ? null : this.#backend
  }

  /** @throws ConfigurationError where the cache cannot be used as it is; one that is merely away is waited for. */
  async open(): Promise<void> {
    this.#closed = false
    try {
      await this.#open()
    } catch (error) {
      if (error instanceof ConfigurationError) throw error
      this.#lookLater()
    }
  }

  async #open(): Promise<void> {
    const backend = await this.load()
    await backend.open()
    if (this.#closed) return backend.close()
    this.#backend = backend
    this.#return()
  }

  #return(): void {
    if (this.#looks > 0) this.logger?.info('the cache is back')
    this.#away = false
    this.#looks = 0
    this.onBack()
  }

  #lookLater(): void {
    if (this.#closed || this.#timer) return
    const delay = Math.min(LONGEST_LOOK, LOOK * 2 ** Math.min(this.#looks++, 6))
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#look()
    }, delay)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    try {
      if (!this.#backend) await this.#open()
      else if (await this.#backend.ping()) this.#return()
      else this.#lookLater()
    } catch {
      this.#lookLater()
    }
  }

  #leave(): void {
    if (this.#away) return
    this.#away = true
    this.logger?.warn('the cache is away: everything is answered by the primary')
    this.onAway()
    this.#lookLater()
  }

  /**
   * Some work on a tenant's cache.
   *
   * @throws ConnectionError at once while the cache is away.
   */
  async use<T>(tenantId: string, work: (scope: CacheScope) => Promise<T>): Promise<T> {
    const scope = this.backend?.scope(tenantId).cache
    if (!scope) throw new ConnectionError('the cache is away')
    try {
      return await work(scope)
    } catch (error) {
      if (error instanceof BrunoMemoryError && error.retryable) this.#leave()
      throw error
    }
  }

  /** The same, or null where the cache cannot be asked. */
  async try<T>(tenantId: string, work: (scope: CacheScope) => Promise<T>): Promise<T | null> {
    if (this.#away) return null
    try {
      return await this.use(tenantId, work)
    } catch {
      return null
    }
  }

  /** For those who keep things in it themselves. */
  scope(tenantId: string): CacheScope {
    const use = <T>(work: (scope: CacheScope) => Promise<T>): Promise<T> => this.use(tenantId, work)
    return {
      get: (key) => use((scope) => scope.get(key)),
      apply: (changes) => use((scope) => scope.apply(changes)),
      expire: (key, until) => use((scope) => scope.expire(key, until)),
      look: (key) => use((scope) => scope.look(key)),
      fill: (key, version, entry) => use((scope) => scope.fill(key, version, entry)),
    }
  }

  async ping(): Promise<boolean> {
    return this.backend ? this.backend.ping() : false
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#away = true
    const backend = this.#backend
    this.#backend = null
    await backend?.close()
  }
}
