import type { Backend, BackendScope, UnitScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import type { VectorSettings } from '../contract/embedder.js'
import type { EraseTarget, RetentionOptions, RetentionPolicy, RetentionReport } from '../contract/erase.js'
import type { Followed, FollowerRecord, FollowerSettling, OutboxDepth, SemanticTarget } from '../contract/follow.js'
import type { EmbeddingOptions } from '../contract/options.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport } from '../contract/statistics.js'
import type { Logger } from '../contract/telemetry.js'
import type { CacheVerifyReport, Upkeep, VerifyOptions } from '../contract/upkeep.js'
import { ConfigurationError, UnsupportedError } from '../errors.js'
import { Settler } from '../unit/settler.js'
import type { CacheMember } from './cache-member.js'
import { cachedScope } from './cached-scope.js'
import { semanticEraseTarget } from './erase-targets.js'
import { type Following, planOf, regaining, untilTold } from './following.js'
import { cacheSettling, type ReadCache } from './read-cache.js'
import type { SemanticMember } from './semantic-member.js'
import { telling } from './telling.js'
import { makeUpkeep } from './upkeep.js'
import { verifyCache } from './verify-cache.js'
import { toldAfter, watched, watchedUnit } from './writes.js'

export interface ComposedParts {
  /** Told of each write by `wrote`. */
  readonly primary: Backend
  readonly semantic: SemanticMember | null
  readonly cache: { readonly member: CacheMember; readonly reads: ReadCache | null; readonly place: string } | null
  readonly settle: 'background' | 'await' | 'off'
  readonly deadline: number
  readonly window: number
  readonly searches: boolean
  readonly logger?: Logger | undefined
  readonly vectorSettings: (options: EmbeddingOptions) => Promise<VectorSettings>
}

const MAX_TENANTS = 1000
const SEMANTIC = 'semantic'
const CACHE = 'cache'

/** Several backends as one memory: the primary has the truth, and the others follow it. */
export class ComposedBackend implements Backend {
  readonly name: string
  readonly #parts: ComposedParts
  #following: readonly Following[] = []
  readonly #scopes = new Map<string, BackendScope>()
  #regain = (): void => undefined

  constructor(parts: ComposedParts) {
    this.#parts = parts
    this.name = parts.primary.name
  }

  get capabilities(): Capabilities {
    const { primary, semantic, cache } = this.#parts
    return {
      ...primary.capabilities,
      vectorSearch: primary.capabilities.vectorSearch || semantic !== null,
      rateLimits: primary.capabilities.rateLimits || cache !== null,
    }
  }

  get journal() {
    return undefined
  }

  get followed(): Followed | undefined {
    return this.#parts.primary.followed
  }

  async open(): Promise<void> {
    const { primary, semantic, cache } = this.#parts
    await primary.open()
    try {
      await cache?.member.open()
      const { followed } = primary
      if (followed) await this.#join(followed)
      else if (semantic || cache?.reads)
        throw new ConfigurationError(
          'the primary cannot be followed: under rowLevelSecurity, whoever tells the others must see all tenants; give maintenanceConnectionString',
        )
    } catch (error) {
      await Promise.allSettled([semantic?.close(), cache?.member.close()])
      await primary.close()
      throw error
    }
  }

  async #join(followed: Followed): Promise<void> {
    const { semantic, cache } = this.#parts
    const following: Omit<Following, 'settler'>[] = []
    if (semantic) {
      const follower = await followed.follow(planOf(SEMANTIC, semantic.parts.place))
      await semantic.join(followed, follower)
      // A store that is merely away is waited for; one that does not fit is refused now.
      await semantic.greet().catch((error: unknown) => {
        if (error instanceof ConfigurationError) throw error
      })
      following.push({ follower, settling: followed.semantic(follower, this.#telling(followed, semantic)) })
    }
    if (cache?.reads) {
      const follower = await followed.follow(planOf(CACHE, cache.place))
      cache.reads.begin(follower.epoch)
      following.push({ follower, settling: cacheSettling(followed, follower, cache.reads) })
    }
    this.#following = following.map((each) => ({ ...each, settler: this.#settlerOf(each.settling) }))
    this.wrote()
    if (semantic) semantic.onMove = (follower) => this.#move(followed, semantic, follower)
    if (cache?.reads)
      this.#regain = regaining({ followed, member: cache.member, reads: cache.reads }, () => this.#of(CACHE))
  }

  #settlerOf(settling: FollowerSettling): Settler {
    return new Settler(settling, this.#parts.logger, this.#parts.settle !== 'off')
  }

  #of(kind: string): Following | undefined {
    return this.#following.find(({ follower }) => follower.kind === kind)
  }

  /** The collections were built anew: what is written now is told to these. */
  #move(followed: Followed, semantic: SemanticMember, follower: FollowerRecord): void {
    const settling = followed.semantic(follower, this.#telling(followed, semantic))
    const settler = this.#settlerOf(settling)
    const before = this.#of(follower.kind)
    void before?.settler.stop()
    this.#following = this.#following.map((each) => (each === before ? { follower, settling, settler } : each))
    settler.poke()
  }

  #telling(followed: Followed, semantic: SemanticMember): SemanticTarget {
    const { cache } = this.#parts
    return telling({ semantic, followed, cache, cacheName: () => this.#of(CACHE)?.follower.name })
  }

  /** The primary was written to. */
  wrote(): void {
    for (const { settler } of this.#following) settler.poke()
  }

  /** Tells the cache at once, and waits for the others where that is wanted. */
  #changed(tenantId: string, conversations: readonly string[] | null): Promise<void> | undefined {
    const reads = this.#parts.cache?.reads
    if (reads && conversations) reads.changed(tenantId, conversations)
    else
      reads?.changedAnything(tenantId, () =>
        this.#told(tenantId, [CACHE], this.#parts.deadline).catch((error: unknown) => {
          this.#doubt()
          throw error
        }),
      )
    return this.#parts.settle === 'await' ? this.fresh(tenantId) : undefined
  }

  /** Nothing is answered from the cache before it was told of everything that is written by now. */
  #doubt(): void {
    this.#parts.cache?.reads?.doubt()
    this.#regain()
  }

  scope(tenantId: string): BackendScope {
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      // One tenant a request: the map must not grow with the tenants of a long life.
      if (this.#scopes.size >= MAX_TENANTS) this.#scopes.clear()
      scope = this.#scope(tenantId)
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  #scope(tenantId: string): BackendScope {
    const { primary, semantic, cache, window, searches } = this.#parts
    const own = watched(primary.scope(tenantId), (conversations) => this.#changed(tenantId, conversations))
    const purge = own.purgeExpired
    const scope: BackendScope = {
      ...own,
      ...(purge && {
        purgeExpired: (options) => toldAfter(purge(options), () => this.#changed(tenantId, null)),
      }),
      ...(cache && {
        cache: cache.member.scope(tenantId),
        rateLimiter: (options) => {
          const limiter = cache.member.backend?.scope(tenantId).rateLimiter?.(options)
          if (limiter) return limiter
          throw new UnsupportedError('rateLimits', 'the cache, which keeps the limits, is away')
        },
      }),
    }
    if (!cache?.reads) return scope
    return cachedScope(scope, {
      cache: cache.reads,
      tenantId,
      window,
      generation: () => this.#of(SEMANTIC)?.follower.generation ?? 0,
      // Vectors of the primary's own are made behind the cache's back.
      searches: ({ mode = 'text' }) => searches && (mode === 'text' || semantic !== null),
    })
  }

  async unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    const conversations = new Set<string>()
    let anything = false
    const changed = (some: readonly string[] | null): undefined => {
      if (some) for (const each of some) conversations.add(each)
      else anything = true
    }
    const done = this.#parts.primary.unit(tenantId, (unit) => work(watchedUnit(unit, changed)))
    return toldAfter(done, () => this.#changed(tenantId, anything ? null : [...conversations]))
  }

  sweep(options: PurgeOptions): Promise<PurgeReport> {
    const { primary } = this.#parts
    if (!primary.sweep) throw new UnsupportedError('sweep', 'this memory expires records by itself')
    return primary.sweep(options).finally(() => this.#doubt())
  }

  async settle(options: SettleOptions): Promise<SettleReport> {
    const own = await this.#parts.primary.settle?.(options)
    const reports = await Promise.all(this.#following.map(({ settler }) => settler.settle(options)))
    const sum = (name: keyof SettleReport): number =>
      reports.reduce((total, report) => total + report[name], own?.[name] ?? 0)
    return { pending: sum('pending'), parked: sum('parked') }
  }

  /** Waits until everything that a tenant has written is known everywhere. */
  async fresh(tenantId: string, deadline = this.#parts.deadline): Promise<void> {
    const names = this.#following.map(({ follower }) => follower.name)
    if (names.length > 0) await this.#told(tenantId, names, deadline)
    else await this.#parts.primary.settle?.({ deadline })
  }

  #told(tenantId: string, names: readonly string[], deadline: number): Promise<void> {
    const { followed } = this
    return followed ? untilTold(followed, () => this.#following, { tenantId, names, deadline }) : Promise.resolve()
  }

  get erasing(): readonly EraseTarget[] {
    const { primary, semantic, cache } = this.#parts
    const { followed, upkeep } = this
    const semantics = semantic && followed && upkeep
    return [
      ...(primary.erasing ?? []),
      ...(semantics
        ? [semanticEraseTarget({ semantic, followed, rebuild: () => upkeep.rebuild({ dropOld: true }) })]
        : []),
      ...(cache?.member.backend?.erasing ?? []),
    ]
  }

  retain(policy: RetentionPolicy, options: RetentionOptions): Promise<RetentionReport> {
    const { retain } = this.#parts.primary
    if (!retain) throw new UnsupportedError('retain', 'this memory has no retention: use SQLite or PostgreSQL')
    const work = retain.call(this.#parts.primary, policy, options)
    return options.dryRun ? work : work.finally(() => this.#doubt())
  }

  get upkeep(): Upkeep | undefined {
    const { followed } = this
    if (!followed || this.#following.length === 0) return undefined
    const { semantic, vectorSettings } = this.#parts
    return makeUpkeep({
      followed,
      semantic,
      cache: this.#verifying(followed),
      vectorSettings,
      woken: () => this.wrote(),
    })
  }

  #verifying(followed: Followed): ((options: VerifyOptions) => Promise<CacheVerifyReport | null>) | null {
    const { cache, primary, window } = this.#parts
    const follower = this.#of(CACHE)?.follower.name
    if (!cache?.reads || follower === undefined) return null
    const { member, reads } = cache
    const verifying = { followed, follower, member, reads, window, scope: (id: string) => primary.scope(id) }
    return (options) => verifyCache(verifying, options)
  }

  async outbox(): Promise<readonly OutboxDepth[]> {
    return (await this.followed?.depths()) ?? []
  }

  moving = () => this.#parts.primary.moving?.() ?? Promise.resolve(null)

  ping(): Promise<boolean> {
    return this.#parts.primary.ping()
  }

  async close(): Promise<void> {
    const { primary, semantic, cache } = this.#parts
    const following = this.#following
    this.#following = []
    this.#scopes.clear()
    await Promise.all(following.map(({ settler }) => settler.stop()))
    await Promise.allSettled(following.map(({ settling }) => settling.release()))
    await Promise.allSettled([semantic?.close(), cache?.member.close()])
    await primary.close()
  }
}
