import { v7 } from 'uuid'
import { TokenCounter } from './context/tokens.js'
import type { Backend } from './contract/backend.js'
import type { Capabilities } from './contract/capabilities.js'
import type { Embedder, EmbeddingCache, VectorSettings } from './contract/embedder.js'
import type { Means } from './contract/factory.js'
import type { Memory } from './contract/memory.js'
import type { MemoryOf } from './contract/memory-of.js'
import type {
  ChromaOptions,
  CommonOptions,
  EmbeddingOptions,
  PostgresqlOptions,
  PostgresqlSpellings,
  QdrantOptions,
  RedisOptions,
  RedisSpellings,
  SqliteOptions,
  SqliteSpellings,
} from './contract/options.js'
import { type EmbedderSettings, providerOf } from './embeddings/provider.js'
import { ConfigurationError } from './errors.js'
import { makeMemory } from './memory.js'
import { parseOptions } from './model/parse.js'
import { isDead, newOwner } from './owner.js'
import { findKind, sqlitePath } from './registry.js'
import { guarded } from './telemetry/logger.js'
import { type Telemetry, telemetryOf } from './telemetry/telemetry.js'

function embedderSettings(options: EmbeddingOptions): EmbedderSettings | null {
  const { embeddingFunction, embeddingModel, embeddingDimensions, embeddingTimeout, embeddingBatchSize } = options
  if (embeddingFunction === undefined) return null
  const { embeddingApiKey: apiKey, embeddingBaseUrl: baseUrl } = options
  const named = { embeddingModel, embeddingDimensions, embeddingTimeout, embeddingBatchSize, apiKey, baseUrl }
  const settings = { embeddingFunction, ...named }
  // A name that is not known is refused now, not when the first text is embedded.
  providerOf(settings)
  return settings
}

/** The cache of embeddings that some options name; null where they name none. */
export async function embeddingCache({ embeddingCache: given }: EmbeddingOptions): Promise<EmbeddingCache | null> {
  if (given === undefined || typeof given !== 'string') return given ?? null
  const path = sqlitePath(given)
  if (path) return new (await import('./backends/sqlite/embedding-cache.js')).SqliteEmbeddingCache(path)
  return new (await import('./backends/redis/embedding-cache.js')).RedisEmbeddingCache({ url: given })
}

async function embedderOf(options: EmbeddingOptions): Promise<Embedder | null> {
  const settings = embedderSettings(options)
  if (!settings) return null
  const { createEmbedder } = await import('./embeddings/embedder.js')
  const { cachedEmbedder } = await import('./embeddings/cached.js')
  const tokens = new TokenCounter(undefined)
  return cachedEmbedder(createEmbedder(settings), {
    cache: await embeddingCache(options),
    dimensions: options.embeddingDimensions ?? null,
    onEmbedding: options.onEmbedding ?? null,
    count: () => tokens.ready(),
  })
}

/** Loads what calls the model; the model itself is loaded at its first text. */
export async function vectorSettings(options: EmbeddingOptions): Promise<VectorSettings> {
  return {
    embedder: await embedderOf(options),
    metric: options.distanceMetric ?? 'cosine',
    dimensions: options.embeddingDimensions ?? null,
    model: options.embeddingModel ?? 'records',
  }
}

function weightsOf({ searchWeights }: CommonOptions): Means['weights'] {
  const weights = { text: searchWeights?.text ?? 0.75, vector: searchWeights?.vector ?? 0.25 }
  if (weights.text + weights.vector <= 0) throw new ConfigurationError('option searchWeights: must not both be 0')
  return weights
}

/** One backend with its options checked, not loaded yet. */
export interface Prepared {
  readonly name: string
  readonly options: CommonOptions
  readonly capabilities: Capabilities
  readonly telemetry: Telemetry | null
  /** @param more What a memory of several backends gives to one of them. */
  readonly load: (more?: Pick<Means, 'semantic' | 'wrote' | 'loads'>) => Promise<Backend>
}

/**
 * Checks everything that can be checked before a backend is opened.
 *
 * @throws ConfigurationError for an unknown name, URL or option, with the nearest known one.
 */
export function prepare(nameOrUrl: string, given: object): Prepared {
  const { name, kind, options: fromUrl } = findKind(nameOrUrl)
  const spelled = kind.spelled ?? ((options: object) => options)
  const options = parseOptions(kind.schema, spelled({ ...given, ...fromUrl }))
  const weights = weightsOf(options)
  embedderSettings(options)
  const capabilities = kind.capabilities(options)
  const { clock = Date.now, newId = () => v7() } = options
  const logger = options.logger && guarded(options.logger)
  const telemetry = telemetryOf(options, name, logger)
  const load = async (more: Pick<Means, 'semantic' | 'wrote' | 'loads'> = {}) => {
    const told = { logger, counters: telemetry ?? undefined, newOwner, isDead }
    const means: Means = { clock, newId, weights, vectors: await vectorSettings(options), ...told, ...more }
    return kind.create(options, means, capabilities)
  }
  return { name, options, capabilities, telemetry, load }
}

/** A memory over a backend, which is loaded when it is opened. */
export function memoryOf({ options, capabilities, telemetry, load }: Omit<Prepared, 'name'>): Memory {
  const { clock = Date.now, tenancy = 'optional', tokenizer } = options
  return makeMemory({ capabilities, tokenizer, tenancy, clock, telemetry, load: () => load() })
}

/**
 * Makes a memory over one backend, by its name and options or by a URL such as `sqlite:./memory.db`,
 * `postgres://user@host/database`, `redis://host:6379`, `chroma:./folder` or `qdrant://host:6333`. Nothing is opened before `connect()` or the first call.
 *
 * @throws ConfigurationError for an unknown name, URL or option, with the nearest known one.
 */
export function createBackend(name: 'sqlite', options: SqliteOptions & SqliteSpellings): MemoryOf<'sqlite'>
export function createBackend(
  name: 'postgresql',
  options: PostgresqlOptions | (Omit<PostgresqlOptions, 'connectionString'> & PostgresqlSpellings),
): MemoryOf<'postgresql'>
export function createBackend(name: 'redis', options?: RedisOptions & RedisSpellings): MemoryOf<'redis'>
export function createBackend(name: 'chromadb', options: ChromaOptions): MemoryOf<'chromadb'>
export function createBackend(name: 'qdrant', options: QdrantOptions): MemoryOf<'qdrant'>
export function createBackend<Name extends string>(
  // With a name that is known to the compiler, wrong options are a compile error too.
  nameOrUrl: Name extends 'sqlite' | 'postgresql' | 'redis' | 'chromadb' | 'qdrant' ? never : Name,
  options?: object,
): Memory
export function createBackend(nameOrUrl: string, options: object = {}): Memory {
  if (typeof options !== 'object' || options === null) throw new ConfigurationError('options must be an object')
  return memoryOf(prepare(nameOrUrl, options))
}
