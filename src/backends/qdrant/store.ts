import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { QdrantOptions } from '../../contract/options.js'
import type { Entry, FollowScope, VectorStore, WantedSpace } from '../vector/store.js'
import type { TransferEngine } from '../vector/transfer-engine.js'
import { placeOf, QdrantClient } from './client.js'
import { ensureCollection, existingSpace } from './collection.js'
import { expiredFilter, filterOf } from './filters.js'
import { entriesOf, followPoints, forgetGone, removeTenant } from './follow.js'
import { type NearestSettings, nearestPoints } from './nearest.js'
import { orderedPoints } from './ordered.js'
import { countPoints, facet, fetchPoints } from './read.js'
import { Tenants } from './tenants.js'
import { transferEngine } from './transfer.js'
import { removePoints, writePoints } from './write.js'

const DEFAULT_COLLECTION = 'bruno_memory'

/** Points in Qdrant, over its HTTP interface. */
export class QdrantStore implements VectorStore {
  readonly #options: QdrantOptions
  readonly #client: QdrantClient
  readonly #tenants: Tenants
  #settings: NearestSettings = { metric: 'cosine', efSearch: undefined, quantized: false }

  constructor(options: QdrantOptions) {
    this.#options = options
    this.#client = new QdrantClient(options)
    const { collectionName = DEFAULT_COLLECTION } = options
    this.#tenants = new Tenants(this.#client, { ...options, collectionName })
  }

  async open(wanted: WantedSpace, dimensions: () => Promise<number>): Promise<EmbeddingSpace> {
    const { collectionName = DEFAULT_COLLECTION, efSearch, quantization } = this.#options
    await this.#client.checkVersion()
    await this.#tenants.checkServer()
    const shards = () => this.#tenants.makeShards()
    const space = await ensureCollection(this.#client, this.#options, collectionName, wanted, dimensions, {}, shards)
    this.#tenants.open(space)
    this.#settings = { metric: space.metric, efSearch, quantized: quantization !== undefined }
    return space
  }

  async openAsIs(): Promise<EmbeddingSpace> {
    const { collectionName = DEFAULT_COLLECTION } = this.#options
    await this.#client.checkVersion()
    const space = await existingSpace(this.#client, collectionName)
    this.#tenants.open(space)
    return space
  }

  readonly followsSideBySide = true

  tenant(tenantId: string): FollowScope {
    const place = this.#tenants.place(tenantId)
    const settings = this.#settings
    return {
      fetch: (kind, keys) => fetchPoints(place, kind, keys),
      write: (kind, writes) => writePoints(place, kind, writes),
      remove: (kind, keys, where = []) => removePoints(place, kind, keys, where),
      follow: (kind, writes) => followPoints(place, kind, writes),
      page: (query) => orderedPoints(place, query),
      nearest: (query) => nearestPoints(place, settings, query),
      count: (kind, where) => countPoints(place, kind, where),
      distinct: (kind, field, where) => facet(place, field, filterOf(tenantId, kind, where)),
    }
  }

  async *entries({ tenantId }: { readonly tenantId?: string | undefined } = {}): AsyncGenerator<readonly Entry[]> {
    if (tenantId !== undefined) return yield* entriesOf(this.#tenants.place(tenantId), tenantId)
    for await (const place of this.#tenants.everywhere()) yield* entriesOf(place, undefined)
  }

  transfer(): TransferEngine {
    const { host, port, prefix } = placeOf(this.#options)
    const { collectionName = DEFAULT_COLLECTION } = this.#options
    return transferEngine(this.#tenants, `${host}:${port}${prefix}/${collectionName}`)
  }

  async forgetTombstones(before: number): Promise<number> {
    let n = 0
    for await (const place of this.#tenants.everywhere()) n += await forgetGone(place, before)
    return n
  }

  async eraseTenant(tenantId: string): Promise<void> {
    if (await this.#tenants.dropOf(tenantId)) return
    for await (const place of this.#tenants.everywhere()) await removeTenant({ ...place, tenantId })
  }

  drop(): Promise<void> {
    return this.#tenants.drop()
  }

  tenantsWithExpired(at: number): AsyncIterable<string> {
    return this.#tenants.withExpired((place) => facet(place, 'tenant', expiredFilter(at)))
  }

  ping(): Promise<boolean> {
    return this.#client.ping()
  }

  async close(): Promise<void> {
    this.#client.close()
  }
}
