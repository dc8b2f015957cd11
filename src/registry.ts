import { chromaUrl } from './backends/chromadb/url.js'
import { qdrantUrl } from './backends/qdrant/url.js'
import { placeOf } from './backends/redis/place.js'
import type { VectorStore } from './backends/vector/store.js'
import { OPTIONS, optionsOf } from './configuration.js'
import type { Capabilities } from './contract/capabilities.js'
import type { BackendFactory } from './contract/factory.js'
import type {
  ChromaOptions,
  CommonOptions,
  PostgresqlOptions,
  QdrantOptions,
  RedisOptions,
  SqliteOptions,
} from './contract/options.js'
import type { TransferSource } from './contract/transfer.js'
import { ConfigurationError } from './errors.js'
import { type ObjectSchema, suggestion } from './model/parse.js'
import { chromaPlace, qdrantPlace, redisPlace } from './places.js'
import { SPELLINGS } from './spellings.js'

/** A store of vectors that can follow a primary. */
export interface IndexKind<O> {
  /** Where it is, without secrets: two memories at the same place mean the same vectors. */
  place(options: O): string
  /** Makes it, closed. Each generation has collections of its own beside those of the others. */
  make(options: O, generation: number): Promise<VectorStore>
}

/** A kind of backend: its factory, and how its options are checked. */
export interface Kind extends BackendFactory<object> {
  readonly schema: ObjectSchema<CommonOptions>
  /** Absent where it cannot follow a primary as its semantic store. */
  readonly index?: IndexKind<object> | undefined
  /** Where it is, without secrets; absent where it cannot follow a primary as its cache. */
  readonly cachePlace?: ((options: object) => string) | undefined
  /** Whether others can follow it. */
  readonly leads?: boolean | undefined
  /** Opens it to be read as it is, of this schema or an older one; absent where an open backend offers that. */
  readonly transferSource?: ((options: object) => Promise<TransferSource>) | undefined
  /** The options by the names that they have here. */
  readonly spelled?: ((given: object) => object) | undefined
}

type Definition<O extends object> = Omit<BackendFactory<O>, 'options'> & {
  readonly schema: ObjectSchema<O>
  readonly spelled: (given: object) => object
  readonly index?: IndexKind<O>
  readonly cachePlace?: (options: O) => string
  readonly leads?: boolean
  readonly transferSource?: (options: O) => Promise<TransferSource>
}

const kindOf = <O extends object>(definition: Definition<O>): Kind =>
  ({ ...definition, options: Object.keys(definition.schema.entries) }) as unknown as Kind

/** What both SQL engines can do. */
const sqlCapabilities = (
  options: CommonOptions & { readonly enableFts?: boolean | undefined },
  durability: Capabilities['durability'],
): Capabilities => ({
  users: true,
  conversations: true,
  messages: true,
  sessions: true,
  memories: true,
  documents: true,
  textSearch: options.enableFts !== false,
  vectorSearch: options.embeddingFunction !== undefined || options.embeddingDimensions !== undefined,
  events: false,
  rateLimits: false,
  atomicUnit: true,
  positions: 'counter',
  durability,
})

/** `sqlite:./memory.db`, `file:./memory.db`, `sqlite::memory:` or a name. */
export function sqlitePath(url: string): string | null {
  return /^(?:sqlite|file):(?:\/\/)?(.*)$/s.exec(url)?.[1] ?? null
}

const sqlite: Definition<SqliteOptions> = {
  schema: OPTIONS.sqlite,
  leads: true,
  spelled: SPELLINGS.sqlite,
  schemes: ['sqlite', 'file'],
  fromUrl(url) {
    const databasePath = sqlitePath(url)
    if (databasePath) return { databasePath }
    throw new ConfigurationError('name a file or :memory: after `sqlite:`, such as sqlite:./memory.db')
  },
  capabilities: (options) =>
    sqlCapabilities(options, options.databasePath === ':memory:' ? 'none' : (options.durability ?? 'power')),
  transferSource: async (options) =>
    (await import('./backends/sqlite/transfer-source.js')).sqliteTransferSource(options),
  async create(options, means, capabilities) {
    const { SqliteBackend } = await import('./backends/sqlite/backend.js')
    return new SqliteBackend({ ...options, ...means }, capabilities)
  },
}

const postgresql: Definition<PostgresqlOptions> = {
  schema: OPTIONS.postgresql,
  leads: true,
  spelled: SPELLINGS.postgresql,
  schemes: ['postgres', 'postgresql'],
  fromUrl: (connectionString) => ({ connectionString }),
  capabilities: (options) => sqlCapabilities(options, options.durability ?? 'power'),
  transferSource: async (options) =>
    (await import('./backends/postgresql/transfer-source.js')).postgresqlTransferSource(options),
  async create(options, means, capabilities) {
    const { PostgresqlBackend } = await import('./backends/postgresql/backend.js')
    return new PostgresqlBackend({ ...options, ...means }, capabilities)
  },
}

const redis: Definition<RedisOptions> = {
  schema: OPTIONS.redis,
  spelled: SPELLINGS.redis,
  schemes: ['redis', 'rediss'],
  cachePlace: redisPlace,
  fromUrl: (url) => ({ url }),
  capabilities(options) {
    placeOf(options)
    return {
      ...sqlCapabilities({ enableFts: false }, options.durability ?? 'none'),
      documents: false,
      events: options.events !== undefined && options.events !== false,
      rateLimits: true,
    }
  },
  async create(options, means, capabilities) {
    const { RedisBackend } = await import('./backends/redis/backend.js')
    return new RedisBackend({ ...placeOf(options), ...means }, capabilities)
  },
}

/** What an engine of vectors can do. */
function vectorCapabilities(name: string, options: CommonOptions): Capabilities {
  if (options.embeddingFunction === undefined && options.embeddingDimensions === undefined)
    throw new ConfigurationError(
      `option embeddingFunction: is required by ${name}, which finds by vectors; or embeddingDimensions, where the records bring their own`,
    )
  return {
    users: false,
    conversations: false,
    messages: true,
    sessions: false,
    memories: true,
    documents: true,
    textSearch: false,
    vectorSearch: true,
    events: false,
    rateLimits: false,
    atomicUnit: false,
    positions: 'clock',
    durability: 'process',
  }
}

/** The collections that are built anew beside those in use have a number behind their name. */
const generationOf = (name = 'bruno_memory', generation = 1): string =>
  generation === 1 ? name : `${name}_g${generation}`

const same = (given: object): object => given

const qdrant: Definition<QdrantOptions> = {
  schema: OPTIONS.qdrant,
  spelled: same,
  schemes: ['qdrant', 'qdrants'],
  fromUrl: qdrantUrl,
  index: {
    place: qdrantPlace,
    async make(options, generation) {
      const { QdrantStore } = await import('./backends/qdrant/store.js')
      return new QdrantStore({ ...options, collectionName: generationOf(options.collectionName, generation) })
    },
  },
  capabilities: (options) => vectorCapabilities('qdrant', options),
  transferSource: async (options) =>
    (await import('./backends/qdrant/transfer-source.js')).qdrantTransferSource(options),
  async create(options, means, capabilities) {
    const { qdrantBackend } = await import('./backends/qdrant/backend.js')
    return qdrantBackend({ ...options, ...means }, capabilities)
  },
}

const chromadb: Definition<ChromaOptions> = {
  schema: OPTIONS.chromadb,
  spelled: same,
  schemes: ['chroma', 'chromas'],
  fromUrl: chromaUrl,
  index: {
    place: chromaPlace,
    async make(options, generation) {
      const { ChromaStore } = await import('./backends/chromadb/store.js')
      return new ChromaStore({ ...options, collectionName: generationOf(options.collectionName, generation) })
    },
  },
  capabilities: (options) => vectorCapabilities('chromadb', options),
  transferSource: async (options) =>
    (await import('./backends/chromadb/transfer-source.js')).chromaTransferSource(options),
  async create(options, means, capabilities) {
    const { chromaBackend } = await import('./backends/chromadb/backend.js')
    return chromaBackend({ ...options, ...means }, capabilities)
  },
}

const kinds = new Map<string, Kind>([
  ['sqlite', kindOf(sqlite)],
  ['postgresql', kindOf(postgresql)],
  ['redis', kindOf(redis)],
  ['chromadb', kindOf(chromadb)],
  ['qdrant', kindOf(qdrant)],
])

/** The names that `createBackend` knows, those from `registerBackend` included. */
export const listBackends = (): readonly string[] => [...kinds.keys()]

/**
 * Makes a backend from elsewhere known to `createBackend`, by its name and the schemes of its URLs.
 *
 * @throws ConfigurationError where the name or a scheme is taken, or the factory lacks something.
 */
export function registerBackend<O extends object>(name: string, factory: BackendFactory<O>): void {
  if (typeof name !== 'string' || !/^[a-z][a-z0-9+.-]*$/.test(name))
    throw new ConfigurationError('the name of a backend must be made of a-z, 0-9, +, . and -, beginning with a letter')
  if (!Array.isArray(factory?.options)) throw new ConfigurationError(`backend "${name}": options must be an array`)
  for (const part of ['capabilities', 'create'] as const)
    if (typeof factory[part] !== 'function') throw new ConfigurationError(`backend "${name}": needs a function ${part}`)
  if (factory.schemes?.length && typeof factory.fromUrl !== 'function')
    throw new ConfigurationError(`backend "${name}": schemes need a function fromUrl`)
  for (const taken of [name, ...(factory.schemes ?? [])])
    if (kinds.has(taken) || ofScheme(taken)) throw new ConfigurationError(`backend "${taken}" is known already`)
  kinds.set(name, { ...factory, schema: optionsOf(factory.options) } as unknown as Kind)
}

const ofScheme = (scheme: string): [string, Kind] | undefined =>
  [...kinds].find(([, kind]) => kind.schemes?.includes(scheme))

/**
 * The kind of a name or URL, and the options that the URL stands for.
 *
 * @throws ConfigurationError for an unknown name or scheme, with the nearest known one.
 */
export function findKind(nameOrUrl: string): { readonly name: string; readonly kind: Kind; readonly options: object } {
  if (typeof nameOrUrl !== 'string') throw new ConfigurationError('the backend must be given by a name or a URL')
  const named = kinds.get(nameOrUrl)
  if (named) return { name: nameOrUrl, kind: named, options: {} }
  const scheme = /^[\w+.-]+(?=:|$)/.exec(nameOrUrl)?.[0] ?? ''
  const found = nameOrUrl.includes(':') ? ofScheme(scheme) : undefined
  if (found?.[1].fromUrl) return { name: found[0], kind: found[1], options: found[1].fromUrl(nameOrUrl) }
  const known = listBackends()
  throw new ConfigurationError(
    `backend "${scheme}" is not known${suggestion(scheme, known)}; known are ${known.join(', ')}`,
  )
}
