import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { DistanceMetric, EmbeddingSpace } from '../../contract/embedder.js'
import type { ChromaOptions } from '../../contract/options.js'
import { ConfigurationError, StorageError } from '../../errors.js'
import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { compareSpaces, readSpace } from '../vector/space.js'
import type { WantedSpace } from '../vector/store.js'
import type { ChromaClient } from './client.js'

/** Of what stands in a collection, and how. */
const LAYOUT = 1
const DEFAULT_NAME = 'bruno_memory'
const SPACES: Readonly<Record<DistanceMetric, string>> = { cosine: 'ip', dot: 'ip', euclidean: 'l2' }
/** Of the 512 characters that a name may have, those that kind and tenant take. */
const MOST_NAME = 440
/** Collections that are read at a time. */
const PAGE = 1000

/** What is read of a collection. */
export interface Info {
  readonly id: string
  readonly name: string
  readonly metadata?: Readonly<Record<string, unknown>> | null
}

const foreign = (name: string, why: string): ConfigurationError =>
  new ConfigurationError(`the collection ${name} ${why}: name another one with the option collectionName`)

function checkName(name: string): string {
  if (!/^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$/.test(name) || name.length < 3 || name.length > MOST_NAME)
    throw new ConfigurationError(
      `option collectionName: must be 3 to ${MOST_NAME} of a-z, A-Z, 0-9, ., _ and -, with a letter or digit at both ends`,
    )
  return name
}

const isMarked = ({ metadata }: Info): boolean => metadata?.bruno_memory !== undefined

const hashed = (tenantId: string): string => createHash('sha256').update(tenantId).digest('hex').slice(0, 32)

/** The collections of a memory: one that says what the vectors are, and one for each tenant and kind. */
export class Collections {
  readonly #client: ChromaClient
  readonly #options: ChromaOptions
  readonly #base: string
  readonly #known = new LRUCache<string, string>({ max: 10_000 })
  readonly #making = new Map<string, Promise<string>>()
  #space: EmbeddingSpace | null = null

  constructor(client: ChromaClient, options: ChromaOptions) {
    this.#client = client
    this.#options = options
    this.#base = checkName(options.collectionName ?? DEFAULT_NAME)
  }

  /** Null where the server says that there is none; whatever else goes wrong is an error. */
  async #look(name: string): Promise<Info | null> {
    return (await this.#client.collections<Info>({ method: 'GET', accept: [404] }, `/${name}`)) ?? null
  }

  async #make(name: string, space: EmbeddingSpace, mark: object): Promise<void> {
    const { efConstruction, efSearch, maxNeighbors } = this.#options.hnsw ?? {}
    const hnsw = {
      space: SPACES[space.metric],
      ...(efConstruction !== undefined && { ef_construction: efConstruction }),
      ...(efSearch !== undefined && { ef_search: efSearch }),
      ...(maxNeighbors !== undefined && { max_neighbors: maxNeighbors }),
    }
    const metadata = { bruno_memory: LAYOUT, space: JSON.stringify(space), ...mark }
    const body = { name, metadata, configuration: { hnsw }, get_or_create: false }
    try {
      // Another process may make it at the same moment (409): then it is looked at.
      await this.#client.collections({ method: 'POST', body, accept: [409], writes: true })
    } catch (error) {
      // Collections of a database that is not there are merely none: the server says so when one is made.
      if (error instanceof StorageError) await this.#client.checkDatabase()
      throw error
    }
  }

  #check({ name, metadata }: Info, wanted: WantedSpace | null, mark: Readonly<Record<string, string>>): EmbeddingSpace {
    if (metadata?.bruno_memory === undefined) throw foreign(name, 'was not made by this library')
    if (metadata.bruno_memory !== LAYOUT) throw foreign(name, 'was made by another version of this library')
    for (const [key, value] of Object.entries(mark))
      if (metadata[key] !== value) throw foreign(name, `is of another ${key}`)
    let space: EmbeddingSpace | null
    try {
      space = readSpace(JSON.parse(String(metadata.space)))
    } catch {
      space = null
    }
    if (!space) throw foreign(name, 'does not say what its vectors are')
    if (wanted) compareSpaces(space, wanted, 'another collection by the option collectionName')
    return space
  }

  /** The space of the vectors, recorded now where it was not. */
  async open(wanted: WantedSpace, dimensions: () => Promise<number>): Promise<EmbeddingSpace> {
    let info = await this.#look(this.#base)
    if (!info) {
      await this.#make(this.#base, { ...wanted, dimensions: wanted.dimensions ?? (await dimensions()) }, {})
      info = await this.#look(this.#base)
    }
    if (!info) throw foreign(this.#base, 'is gone as soon as it is made')
    this.#space = this.#check(info, wanted, {})
    return this.#space
  }

  /** The space of the vectors, which must be on record. */
  async openAsIs(): Promise<EmbeddingSpace> {
    const info = await this.#look(this.#base)
    if (!info) throw new ConfigurationError(`there is no collection ${this.#base}`)
    this.#space = this.#check(info, null, {})
    return this.#space
  }

  /** The name of the first one. */
  get base(): string {
    return this.#base
  }

  #nameOf = (tenantId: string, kind: SearchKind): string => `${this.#base}.${kind}.${hashed(tenantId)}`

  /** The id of a tenant's collection of a kind; null where it has none yet. */
  async find(tenantId: string, kind: SearchKind): Promise<string | null> {
    const name = this.#nameOf(tenantId, kind)
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const info = await this.#look(name)
    if (!info) return null
    this.#check(info, this.#space as EmbeddingSpace, { tenant: tenantId, kind })
    this.#known.set(name, info.id)
    return info.id
  }

  /** The same, made where there is none. Writers at the same moment wait for one another. */
  async ensure(tenantId: string, kind: SearchKind): Promise<string> {
    const name = this.#nameOf(tenantId, kind)
    let making = this.#making.get(name)
    if (!making) {
      making = this.#ensured(name, tenantId, kind).finally(() => this.#making.delete(name))
      this.#making.set(name, making)
    }
    return making
  }

  async #ensured(name: string, tenantId: string, kind: SearchKind): Promise<string> {
    const found = await this.find(tenantId, kind)
    if (found !== null) return found
    // Made for a memory that has been removed, it would be nobody's.
    if (!(await this.#look(this.#base)))
      throw new StorageError(`the collection ${this.#base} is gone: somebody has deleted it`)
    await this.#make(name, this.#space as EmbeddingSpace, { tenant: tenantId, kind })
    const made = await this.find(tenantId, kind)
    if (made === null) throw foreign(name, 'is gone as soon as it is made')
    return made
  }

  /** Removes the collections of a tenant. */
  async dropOf(tenantId: string): Promise<void> {
    for (const kind of SEARCH_KINDS) {
      this.forget(tenantId, kind)
      const info = await this.#look(this.#nameOf(tenantId, kind))
      if (info && isMarked(info)) await this.#remove(info)
    }
  }

  #remove({ name }: Info): Promise<unknown> {
    return this.#client.collections({ method: 'DELETE', accept: [404], writes: true }, `/${name}`)
  }

  /** Removes every collection of the memory; the first one first, without which no tenant's is made. */
  async drop(): Promise<void> {
    const base = await this.#look(this.#base)
    if (base && isMarked(base)) await this.#remove(base)
    const all: Info[] = []
    for await (const info of this.#ofTenants(SEARCH_KINDS)) all.push(info)
    for (const info of all) await this.#remove(info)
    this.#known.clear()
  }

  /** Somebody has deleted it: it is looked for again. */
  forget(tenantId: string, kind: SearchKind): void {
    this.#known.delete(this.#nameOf(tenantId, kind))
  }

  /** Tenants that have a collection of one of these kinds. */
  async *tenants(kinds: readonly SearchKind[] = SEARCH_KINDS): AsyncGenerator<string> {
    const told = new Set<string>()
    for await (const { tenant } of this.#ofTenants(kinds)) {
      if (told.has(tenant)) continue
      told.add(tenant)
      yield tenant
    }
  }

  async *#ofTenants(kinds: readonly SearchKind[]): AsyncGenerator<Info & { readonly tenant: string }> {
    for await (const info of this.#all()) {
      const { tenant } = info.metadata ?? {}
      const isOurs = (kind: SearchKind): boolean => info.name === this.#nameOf(tenant as string, kind)
      if (typeof tenant === 'string' && isMarked(info) && kinds.some(isOurs)) yield { ...info, tenant }
    }
  }

  /**
   * Every collection of the database, once. The server has them in the order of their random ids, so that those that come
   * and go shift the pages: each begins with the last of the one before, and where it does not, reading begins anew.
   */
  async *#all(): AsyncGenerator<Info> {
    const told = new Set<string>()
    let offset = 0
    let last: string | undefined
    for (;;) {
      const query = `?limit=${PAGE}&offset=${offset}`
      const page = (await this.#client.collections<Info[]>({ method: 'GET' }, query)) ?? []
      if (last !== undefined && page[0]?.id !== last) {
        offset = 0
        last = undefined
        continue
      }
      const more = page.filter(({ id }) => !told.has(id))
      for (const info of more) {
        told.add(info.id)
        yield info
      }
      if (page.length < PAGE) return
      last = page.at(-1)?.id
      offset += PAGE - 1
    }
  }
}
