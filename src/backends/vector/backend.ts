import type { Backend, BackendScope, UnitScope } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { Means } from '../../contract/factory.js'
import type { CommonOptions } from '../../contract/options.js'
import type { PurgeOptions, PurgeReport } from '../../contract/statistics.js'
import type { Transferring } from '../../contract/transfer.js'
import { ConfigurationError } from '../../errors.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { batchSize } from '../../repository/purge-options.js'
import { positionsOf, type VectorContext } from './context.js'
import { nothingPurged, purge } from './purge.js'
import { inUnit, vectorScope } from './scope.js'
import type { VectorStore, WantedSpace } from './store.js'
import type { VectorEnd } from './transfer-end.js'
import { VectorSink } from './transfer-sink.js'
import { VectorSource } from './transfer-source.js'

const MAX_TENANTS = 1000

/** A backend over an engine that keeps points: messages, memories and documents with their vectors. */
export class VectorBackend implements Backend {
  readonly #store: VectorStore
  readonly #scopes = new Map<string, BackendScope>()
  readonly #position: VectorContext['position']
  readonly #checks: Checks
  #space: EmbeddingSpace | null = null

  constructor(
    readonly name: string,
    readonly settings: CommonOptions & Means,
    readonly capabilities: Capabilities,
    store: VectorStore,
  ) {
    this.#store = store
    this.#position = positionsOf(settings.clock)
    this.#checks = new Checks({ ...DEFAULT_LIMITS, ...settings.limits })
  }

  async open(): Promise<void> {
    const { embedder, metric, dimensions, model } = this.settings.vectors
    const wanted: WantedSpace = {
      provider: embedder?.provider ?? 'records',
      model: embedder?.model ?? model,
      dimensions: embedder?.dimensions ?? dimensions,
      metric,
    }
    this.#space = await this.#store.open(wanted, async () => {
      if (!embedder)
        throw new ConfigurationError('option embeddingDimensions: is required without an embeddingFunction')
      return (await embedder.embedQuery('dimensions')).length
    })
  }

  #context(tenantId: string): VectorContext {
    if (!this.#space) throw new Error('the backend is not open')
    const { clock, newId, vectors, reranker = null } = this.settings
    return {
      tenantId,
      points: this.#store.tenant(tenantId),
      checks: this.#checks,
      clock,
      newId,
      position: this.#position,
      space: this.#space,
      embedder: vectors.embedder,
      reranker,
    }
  }

  scope(tenantId: string): BackendScope {
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      // One tenant a request: the map must not grow with the tenants of a long life.
      if (this.#scopes.size >= MAX_TENANTS) this.#scopes.clear()
      scope = vectorScope(this.#context(tenantId))
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    return inUnit(this.#context(tenantId), work)
  }

  get transferring(): Transferring {
    return { source: () => new VectorSource(this.#end()), sink: () => new VectorSink(this.#end()) }
  }

  #end(): VectorEnd {
    if (!this.#space) throw new Error('the backend is not open')
    const { embedder } = this.settings.vectors
    const points = (tenantId: string) => this.#store.tenant(tenantId)
    return { name: this.name, engine: this.#store.transfer(), space: this.#space, embedder, points }
  }

  async sweep(options: PurgeOptions): Promise<PurgeReport> {
    batchSize(options)
    const total = { ...nothingPurged() }
    for await (const tenantId of this.#store.tenantsWithExpired(this.settings.clock())) {
      const report = await purge(this.#context(tenantId), options)
      for (const kind of Object.keys(total) as (keyof PurgeReport)[]) total[kind] += report[kind]
    }
    return total
  }

  ping(): Promise<boolean> {
    return this.#store.ping()
  }

  async close(): Promise<void> {
    this.#scopes.clear()
    await this.settings.vectors.embedder?.close()
    await this.#store.close()
  }
}
