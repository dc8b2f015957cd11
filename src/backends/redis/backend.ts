import type { Backend, BackendScope, CachedKey, UnitScope } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { EraseTarget } from '../../contract/erase.js'
import type { Means } from '../../contract/factory.js'
import type { Journal } from '../../contract/journal.js'
import type { RedisOptions } from '../../contract/options.js'
import type { PurgeOptions, PurgeReport } from '../../contract/statistics.js'
import type { Transferring } from '../../contract/transfer.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { batchSize } from '../../repository/purge-options.js'
import { cachedKeys } from './cached.js'
import { RedisClient } from './client.js'
import { connector } from './connect.js'
import { begin, type RedisContext, type RedisStore, storeRunner } from './context.js'
import { findDurability } from './durability.js'
import { RedisEraseTarget } from './erase.js'
import { Listening, redisEvents } from './events.js'
import { redisJournal } from './journal.js'
import { TenantKeys } from './keys.js'
import { placeText } from './place.js'
import { purgeTenant } from './purge.js'
import { redisScope, redisUnitScope } from './scope.js'
import { addTenant, knownTenants } from './tenants.js'
import { Tidying } from './tidy.js'
import { tokenMaker } from './token.js'
import { RedisSink } from './transfer-sink.js'
import { type RedisEnd, RedisSource } from './transfer-source.js'

const DEFAULT_PREFIX = 'bruno_memory'
const DEFAULT_KEEP = 10_000
const MAX_TENANTS = 1000

interface Open {
  readonly client: RedisClient
  readonly store: RedisStore
  readonly listening: Listening
  readonly tidying: Tidying
}

/** The backend for caches, sessions and state that passes: one server, or a Cluster with one slot per tenant. */
export class RedisBackend implements Backend {
  readonly name = 'redis'
  #capabilities: Capabilities
  #open: Open | null = null
  readonly #scopes = new Map<string, BackendScope>()
  readonly #known = new Set<string>()

  constructor(
    readonly settings: RedisOptions & Means,
    capabilities: Capabilities,
  ) {
    this.#capabilities = capabilities
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  async open(): Promise<void> {
    const { settings } = this
    const { callTimeout = 10_000, sentinels, cluster, db } = settings
    const make = await connector(settings)
    const client = new RedisClient(make, {
      callTimeout,
      db,
      failsOver: sentinels !== undefined || cluster !== undefined,
    })
    await client.open()
    try {
      const durability = await client.call((c) => findDurability(c, settings.durability ?? 'none'))
      this.#capabilities = { ...this.#capabilities, durability }
      const tidying = new Tidying((tenantId) => purgeTenant(this.#context(tenantId), {}))
      this.#open = { client, store: this.#store(client), listening: new Listening(client), tidying }
    } catch (error) {
      client.close()
      throw error
    }
  }

  #store(client: RedisClient): RedisStore {
    const { clock, newId, limits, ttl, slidingTtl = false, writeTimeout = 10_000, events } = this.settings
    const keep = typeof events === 'object' ? (events.keep ?? DEFAULT_KEEP) : events ? DEFAULT_KEEP : null
    return {
      client,
      checks: new Checks({ ...DEFAULT_LIMITS, ...limits }),
      clock,
      newId,
      token: tokenMaker(),
      prefix: this.settings.prefix ?? DEFAULT_PREFIX,
      ttl: ttl === undefined ? null : Math.ceil(ttl * 1000),
      sliding: slidingTtl,
      writeTimeout,
      clustered: this.settings.cluster !== undefined,
      keep,
      queues: new Map(),
      know: (tenantId) => this.#know(client, tenantId),
    }
  }

  /** Sweeps go over the tenants that are known; each process tells of a tenant once. */
  async #know(client: RedisClient, tenantId: string): Promise<void> {
    if (this.#known.has(tenantId)) return
    this.#open?.tidying.add(tenantId)
    await addTenant(client, this.settings.prefix ?? DEFAULT_PREFIX, tenantId)
    if (this.#known.size >= 100_000) this.#known.clear()
    this.#known.add(tenantId)
  }

  get journal(): Journal | undefined {
    const { store, client } = this.#opened
    return store.clustered ? undefined : redisJournal(client, store.prefix, store.clock)
  }

  cachedKeys(): AsyncIterable<readonly CachedKey[]> {
    return cachedKeys(this.#opened.store)
  }

  get transferring(): Transferring | undefined {
    if (!this.#open) return undefined
    const { store, client } = this.#open
    const end: RedisEnd = {
      place: placeText(this.settings),
      tenants: () => knownTenants(client, store.prefix),
      context: (tenantId) => this.#context(tenantId),
    }
    return { source: () => new RedisSource(end), sink: () => new RedisSink(end) }
  }

  get erasing(): readonly EraseTarget[] {
    return [new RedisEraseTarget((tenantId) => this.#context(tenantId))]
  }

  get #opened(): Open {
    if (!this.#open) throw new Error('the backend is not open')
    return this.#open
  }

  #context(tenantId: string): RedisContext {
    const { store } = this.#opened
    const keys = new TenantKeys(store.prefix, tenantId)
    return { ...store, tenantId, keys, runner: storeRunner(store, tenantId, keys) }
  }

  scope(tenantId: string): BackendScope {
    const { store, listening } = this.#opened
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      // One tenant a request: the map must not grow with the tenants of a long life.
      if (this.#scopes.size >= MAX_TENANTS) this.#scopes.clear()
      const keys = new TenantKeys(store.prefix, tenantId)
      const events = store.keep === null ? {} : { events: redisEvents(listening, tenantId, keys, store.token) }
      scope = { ...redisScope(store, tenantId), ...events }
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  async unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    const { store } = this.#opened
    await store.know(tenantId)
    const tx = begin(store, new TenantKeys(store.prefix, tenantId), store.writeTimeout)
    try {
      const result = await work(redisUnitScope(store, tenantId, tx))
      await tx.commit()
      return result
    } catch (error) {
      await tx.end()
      throw error
    }
  }

  async sweep(options: PurgeOptions): Promise<PurgeReport> {
    batchSize(options)
    const { store, client } = this.#opened
    const total = { conversations: 0, messages: 0, sessions: 0, memories: 0, documents: 0, operations: 0 }
    for await (const tenantId of knownTenants(client, store.prefix)) {
      const report = await purgeTenant(this.#context(tenantId), options)
      for (const kind of Object.keys(total) as (keyof typeof total)[]) total[kind] += report[kind]
    }
    return total
  }

  async ping(): Promise<boolean> {
    const { client } = this.#opened
    return client.connection.status === 'ready' && (await client.connection.ping()) === 'PONG'
  }

  async close(): Promise<void> {
    const open = this.#open
    await open?.tidying.stop()
    this.#open = null
    this.#scopes.clear()
    await this.settings.vectors.embedder?.close()
    await open?.listening.close()
    open?.client.close()
  }
}
