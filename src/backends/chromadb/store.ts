import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { ChromaOptions } from '../../contract/options.js'
import type { Entry, FollowScope, VectorStore, WantedSpace } from '../vector/store.js'
import type { TransferEngine } from '../vector/transfer-engine.js'
import { ChromaClient } from './client.js'
import { Collections } from './collections.js'
import { whereOf } from './filters.js'
import { entriesOf, followPoints } from './follow.js'
import { nearestPoints } from './nearest.js'
import { orderedPoints } from './page.js'
import { countPoints, fetchPoints, get, metadatasOf, type Tenant } from './tenant.js'
import { transferEngine } from './transfer.js'
import { Turns } from './turns.js'
import { removePoints, writePoints } from './write.js'

const EXPIRING = ['memory', 'document'] as const

/** Points in ChromaDB, over its HTTP interface: a collection for each tenant and kind. */
export class ChromaStore implements VectorStore {
  readonly #client: ChromaClient
  readonly #collections: Collections
  readonly #turns = new Turns()
  #space: EmbeddingSpace | null = null

  constructor(options: ChromaOptions) {
    this.#client = new ChromaClient(options)
    this.#collections = new Collections(this.#client, options)
  }

  open(wanted: WantedSpace, dimensions: () => Promise<number>): Promise<EmbeddingSpace> {
    return this.#open(() => this.#collections.open(wanted, dimensions))
  }

  openAsIs(): Promise<EmbeddingSpace> {
    return this.#open(() => this.#collections.openAsIs())
  }

  async #open(spaceOf: () => Promise<EmbeddingSpace>): Promise<EmbeddingSpace> {
    await this.#client.open()
    try {
      this.#space = await spaceOf()
      return this.#space
    } catch (error) {
      await this.#client.close()
      throw error
    }
  }

  #tenant(tenantId: string): Tenant {
    const { metric, dimensions } = this.#space as EmbeddingSpace
    return { client: this.#client, collections: this.#collections, turns: this.#turns, tenantId, metric, dimensions }
  }

  /** The engine has no conditional write. */
  readonly followsSideBySide = false

  tenant(tenantId: string): FollowScope {
    const tenant = this.#tenant(tenantId)
    return {
      fetch: (kind, keys) => fetchPoints(tenant, kind, keys),
      write: (kind, writes) => writePoints(tenant, kind, writes),
      remove: (kind, keys, where = []) => removePoints(tenant, kind, keys, where),
      follow: (kind, writes) => followPoints(tenant, kind, writes),
      page: (query) => orderedPoints(tenant, query),
      nearest: (query) => nearestPoints(tenant, query),
      count: (kind, where) => countPoints(tenant, kind, where),
      async distinct(kind, field, where) {
        const found = await metadatasOf(tenant, kind, where)
        return [...new Set(found.flatMap(({ fields }) => fields[field] ?? []))]
      },
    }
  }

  async *entries({ tenantId }: { readonly tenantId?: string | undefined } = {}): AsyncGenerator<readonly Entry[]> {
    if (tenantId !== undefined) return yield* entriesOf(this.#tenant(tenantId))
    // All of them first: the longer their pages are read, the more they shift.
    const all: string[] = []
    for await (const tenant of this.#collections.tenants()) all.push(tenant)
    for (const tenant of all) yield* entriesOf(this.#tenant(tenant))
  }

  transfer(): TransferEngine {
    const place = `${this.#client.place}/${this.#collections.base}`
    return transferEngine(this.#collections, (tenantId) => this.#tenant(tenantId), place)
  }

  /** Nothing is remembered of what was deleted: one process writes at a time. */
  async forgetTombstones(): Promise<number> {
    return 0
  }

  eraseTenant(tenantId: string): Promise<void> {
    return this.#collections.dropOf(tenantId)
  }

  drop(): Promise<void> {
    return this.#collections.drop()
  }

  async *tenantsWithExpired(at: number): AsyncGenerator<string> {
    for await (const tenantId of this.#collections.tenants(EXPIRING)) {
      const tenant = this.#tenant(tenantId)
      const where = whereOf([{ expired: at }])
      const looks = EXPIRING.map((kind) => get(tenant, kind, { where, include: [], limit: 1 }))
      if ((await Promise.all(looks)).some(({ ids }) => ids.length > 0)) yield tenantId
    }
  }

  ping(): Promise<boolean> {
    return this.#client.ping()
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}
