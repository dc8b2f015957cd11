import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { QdrantOptions } from '../../contract/options.js'
import { ConfigurationError, StorageError } from '../../errors.js'
import type { QdrantClient } from './client.js'
import { ensureCollection, hashed, markOf, pathOf } from './collection.js'
import { NearestQueue } from './nearest.js'
import type { Place } from './place.js'

/** The shard of all tenants that have none of their own. */
const SHARED = 'shared'
/** What a tenant's own collection is called by, behind the name of the first. */
const OWN = /^[0-9a-f]{32}$/
/** Collections that are known to be there. */
const MAX_KNOWN = 10_000

type Settings = QdrantOptions & { readonly collectionName: string }

interface Cluster {
  readonly status?: unknown
}

interface Shards {
  readonly local_shards?: readonly { readonly shard_key?: unknown }[]
  readonly remote_shards?: readonly { readonly shard_key?: unknown }[]
}

/** How tenants are kept apart. */
export class Tenants {
  readonly #client: QdrantClient
  readonly #options: Settings
  readonly #queue: NearestQueue
  readonly #known = new Map<string, Promise<unknown>>()
  /** Tenants' collections that have been seen to be this memory's. */
  readonly #ours = new Set<string>()
  #space: EmbeddingSpace | null = null

  constructor(client: QdrantClient, options: Settings) {
    this.#client = client
    this.#options = options
    this.#queue = new NearestQueue(client, this.#accept)
    if (options.shardTenants && options.tenantsBy !== 'shard')
      throw new ConfigurationError("option shardTenants: needs tenantsBy: 'shard'")
  }

  /** A tenant that has not written yet has no collection of its own. */
  get #accept(): readonly number[] {
    return this.#options.tenantsBy === 'collection' ? [404] : []
  }

  open(space: EmbeddingSpace): void {
    this.#space = space
  }

  /** Shards by key need a server in cluster mode: without, a collection can be made, and takes nothing. */
  async checkServer(): Promise<void> {
    if (this.#options.tenantsBy !== 'shard') return
    const cluster = await this.#client.call<Cluster>({ method: 'GET', path: '/cluster' })
    if (cluster?.status !== 'enabled')
      throw new ConfigurationError("option tenantsBy: 'shard' needs a Qdrant in cluster mode, and this one is not")
  }

  /** Those of other processes too, whose options may name other tenants. */
  async #shards(): Promise<string[]> {
    const path = `${pathOf(this.#options.collectionName)}/cluster`
    const shards = await this.#client.call<Shards>({ method: 'GET', path, accept: [404] })
    const all = [...(shards?.local_shards ?? []), ...(shards?.remote_shards ?? [])]
    return [...new Set(all.flatMap(({ shard_key: key }) => (typeof key === 'string' ? [key] : [])))]
  }

  async #missingShards(): Promise<string[]> {
    const there = await this.#shards()
    return [SHARED, ...(this.#options.shardTenants ?? []).map(hashed)].filter((key) => !there.includes(key))
  }

  /** Makes the shards that are missing; those of another process that opens at the same moment are no error. */
  async makeShards(): Promise<void> {
    const { collectionName, tenantsBy, shardNumber, replicationFactor } = this.#options
    if (tenantsBy !== 'shard') return
    for (const shard_key of await this.#missingShards()) {
      const body = {
        shard_key,
        ...(shardNumber !== undefined && { shards_number: shardNumber }),
        ...(replicationFactor !== undefined && { replication_factor: replicationFactor }),
      }
      const path = `${pathOf(collectionName)}/shards`
      await this.#client.call({ method: 'PUT', path, body, accept: [400], writes: true })
    }
    if ((await this.#missingShards()).length > 0) throw new StorageError('Qdrant refuses to make shards for tenants')
  }

  place(tenantId: string): Place {
    const { tenantsBy = 'payload', collectionName, shardTenants = [], wait = true } = this.#options
    const own = tenantsBy === 'collection' ? this.#ownOf(tenantId) : null
    const shard = shardTenants.includes(tenantId) ? hashed(tenantId) : SHARED
    return {
      client: this.#client,
      queue: this.#queue,
      tenantId,
      collection: own ?? collectionName,
      shard: tenantsBy === 'shard' ? { shard_key: shard } : {},
      // Of replicas, only an elected one decides about conditions: with the default each does for itself, and updates get lost.
      writes: `?wait=${wait}&ordering=medium`,
      seenWrites: '?wait=true&ordering=medium',
      accept: this.#accept,
      prepare: async () => {
        if (own !== null) await this.#collectionOf(own, tenantId)
      },
      lost: () => {
        if (own !== null) this.#known.delete(own)
      },
    }
  }

  #ownOf(tenantId: string): string {
    return `${this.#options.collectionName}-${hashed(tenantId)}`
  }

  /** Makes a tenant's collection at its first write; writers at the same moment wait for one another. */
  #collectionOf(name: string, tenantId: string): Promise<unknown> {
    let made = this.#known.get(name)
    if (!made) {
      made = this.#make(name, tenantId)
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(name, made)
      made.catch(() => this.#known.delete(name))
    }
    return made
  }

  async #make(name: string, tenantId: string): Promise<void> {
    const { collectionName } = this.#options
    // Made for a memory that has been removed, it would be nobody's.
    if (!(await markOf(this.#client, collectionName)))
      throw new StorageError(`the collection ${JSON.stringify(collectionName)} is gone: somebody has deleted it`)
    const space = this.#space as EmbeddingSpace
    const dimensions = async () => space.dimensions
    await ensureCollection(this.#client, this.#options, name, space, dimensions, { tenant: tenantId })
  }

  /** Every collection of the memory, each as a place of all that is in it. */
  async *everywhere(): AsyncGenerator<Place> {
    const { collectionName, tenantsBy } = this.#options
    // Writes must name their shards; without a collection there are none.
    const shard = tenantsBy === 'shard' ? { shard_key: await this.#shards() } : {}
    if (shard.shard_key?.length === 0) return
    const place = { ...this.place(''), collection: collectionName, shard, accept: [404] }
    yield place
    if (tenantsBy === 'collection') for (const name of await this.#likely()) yield { ...place, collection: name }
  }

  /** Collections that are called as tenants' own are: others may begin with the same name, such as those of a memory on `name-2`. */
  async #likely(): Promise<string[]> {
    const { collectionName } = this.#options
    const list = await this.#client.call<{ collections?: readonly { name: string }[] }>({
      method: 'GET',
      path: '/collections',
    })
    return (list?.collections ?? [])
      .map(({ name }) => name)
      .filter((name) => name.startsWith(`${collectionName}-`) && OWN.test(name.slice(collectionName.length + 1)))
  }

  /**
   * Where the points are of one tenant or all: the one collection, or tenants' own.
   *
   * @throws ConfigurationError where tenants have collections of their own, and the options do not say whether they count.
   */
  async holding(tenantId: string | undefined): Promise<Place[]> {
    const { tenantsBy, collectionName } = this.#options
    if (tenantsBy === 'collection' && tenantId !== undefined) return [this.place(tenantId)]
    const own = tenantsBy === undefined || tenantsBy === 'collection' ? await this.#owned() : []
    if (tenantsBy === 'collection') return own.map((collection) => ({ ...this.place(''), collection }))
    if (own.length === 0) return [{ ...this.place(''), shard: {} }]
    throw new ConfigurationError(
      `tenants have collections of their own beside ${JSON.stringify(collectionName)}: say so with the option tenantsBy, 'collection' or 'payload'`,
    )
  }

  async #owned(): Promise<string[]> {
    const likely = await this.#likely()
    const unknown = likely.filter((name) => !this.#ours.has(name))
    for (const name of unknown) if (await this.#owns(name)) this.#ours.add(name)
    return likely.filter((name) => this.#ours.has(name))
  }

  /** Tenants of whom something has expired, as `find` says it of one place. */
  async *withExpired(find: (place: Place) => Promise<string[]>): AsyncGenerator<string> {
    const own = this.#options.tenantsBy === 'collection'
    for await (const place of this.everywhere())
      yield* (await find(place)).filter((tenant) => !own || this.place(tenant).collection === place.collection)
  }

  /** Removes a tenant's own collection; false where it has none, but shares one. */
  async dropOf(tenantId: string): Promise<boolean> {
    if (this.#options.tenantsBy !== 'collection') return false
    const { collection, lost } = this.place(tenantId)
    lost()
    if (await this.#owns(collection)) await this.#remove(collection)
    return true
  }

  /** Removes every collection of the memory; the first one first, without which no tenant's is made. */
  async drop(): Promise<void> {
    this.#known.clear()
    for await (const { collection } of this.everywhere())
      if (await this.#owns(collection)) await this.#remove(collection)
  }

  async #owns(collection: string): Promise<boolean> {
    const mark = await markOf(this.#client, collection)
    if (!mark || collection === this.#options.collectionName) return mark !== null
    return typeof mark.tenant === 'string' && this.#ownOf(mark.tenant) === collection
  }

  #remove(collection: string): Promise<unknown> {
    return this.#client.call({ method: 'DELETE', path: pathOf(collection), accept: [404], writes: true })
  }
}
