import { v7 } from 'uuid'
import { OPTIONS } from './configuration.js'
import type { Backend } from './contract/backend.js'
import type { Capabilities } from './contract/capabilities.js'
import type { VectorSettings } from './contract/embedder.js'
import type { Memory } from './contract/memory.js'
import type { CommonOptions, EmbeddingOptions, PostgresqlOptions, SqliteOptions } from './contract/options.js'
import { type EmbedderSettings, providerOf } from './embeddings/provider.js'
import { ConfigurationError } from './errors.js'
import { makeMemory } from './memory.js'
import { parseOptions, suggestion } from './model/parse.js'

const NAMES = ['sqlite', 'postgresql'] as const
export type BackendName = (typeof NAMES)[number]

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

/** Loads what calls the model; the model itself is loaded at its first text. */
async function vectorSettings(options: EmbeddingOptions): Promise<VectorSettings> {
  const settings = embedderSettings(options)
  const make = settings && (await import('./embeddings/embedder.js')).createEmbedder
  return {
    embedder: make ? make(settings) : null,
    metric: options.distanceMetric ?? 'cosine',
    dimensions: options.embeddingDimensions ?? null,
    model: options.embeddingModel ?? 'records',
  }
}

/** What every backend is given beside its options. */
interface Means {
  readonly clock: () => number
  readonly newId: () => string
  readonly weights: { readonly text: number; readonly vector: number }
  readonly vectors: VectorSettings
}

function weightsOf({ searchWeights }: CommonOptions): Means['weights'] {
  const weights = { text: searchWeights?.text ?? 0.75, vector: searchWeights?.vector ?? 0.25 }
  if (weights.text + weights.vector <= 0) throw new ConfigurationError('option searchWeights: must not both be 0')
  return weights
}

/** A memory over one backend, which is loaded when it is opened. */
function memoryOf(
  options: CommonOptions,
  capabilities: Capabilities,
  load: (means: Means) => Promise<Backend>,
): Memory {
  const weights = weightsOf(options)
  embedderSettings(options)
  const { clock = Date.now, newId = () => v7(), tenancy = 'optional', tokenizer } = options
  return makeMemory({
    capabilities,
    tokenizer,
    tenancy,
    clock,
    load: async () => load({ clock, newId, weights, vectors: await vectorSettings(options) }),
  })
}

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
  atomicUnit: true,
  positions: 'counter',
  durability,
})

function sqliteMemory(input: unknown): Memory {
  const options = parseOptions(OPTIONS.sqlite, input)
  const capabilities = sqlCapabilities(
    options,
    options.databasePath === ':memory:' ? 'none' : (options.durability ?? 'power'),
  )
  return memoryOf(options, capabilities, async (means) => {
    const { SqliteBackend } = await import('./backends/sqlite/backend.js')
    return new SqliteBackend({ ...options, ...means }, capabilities)
  })
}

function postgresqlMemory(input: unknown): Memory {
  const options = parseOptions(OPTIONS.postgresql, input)
  const capabilities = sqlCapabilities(options, options.durability ?? 'power')
  return memoryOf(options, capabilities, async (means) => {
    const { PostgresqlBackend } = await import('./backends/postgresql/backend.js')
    return new PostgresqlBackend({ ...options, ...means }, capabilities)
  })
}

/** `sqlite:./memory.db`, `file:./memory.db`, `sqlite::memory:` or a name. */
export function sqlitePath(url: string): string | null {
  return /^(?:sqlite|file):(?:\/\/)?(.*)$/s.exec(url)?.[1] ?? null
}

const isPostgresUrl = (url: string): boolean => /^postgres(ql)?:\/\//.test(url)

/**
 * Makes a memory over one backend, by its name and options or by a URL such as `sqlite:./memory.db` or
 * `postgres://user@host/database`. Nothing is opened before `connect()` or the first call.
 *
 * @throws ConfigurationError for an unknown name, URL or option, with the nearest known one.
 */
export function createBackend(name: 'sqlite', options: SqliteOptions): Memory
export function createBackend(name: 'postgresql', options: PostgresqlOptions): Memory
export function createBackend(url: string, options?: Partial<SqliteOptions> | Partial<PostgresqlOptions>): Memory
export function createBackend(
  nameOrUrl: string,
  options: Partial<SqliteOptions> | Partial<PostgresqlOptions> = {},
): Memory {
  if (typeof nameOrUrl !== 'string') throw new ConfigurationError('the backend must be given by a name or a URL')
  if (nameOrUrl === 'sqlite') return sqliteMemory(options)
  if (nameOrUrl === 'postgresql') return postgresqlMemory(options)
  if (isPostgresUrl(nameOrUrl)) return postgresqlMemory({ ...options, connectionString: nameOrUrl })
  const path = sqlitePath(nameOrUrl)
  if (path === '') throw new ConfigurationError('name a file or :memory: after `sqlite:`, such as sqlite:./memory.db')
  if (path !== null) return sqliteMemory({ ...options, databasePath: path })
  const scheme = /^[\w+.-]+(?=:|$)/.exec(nameOrUrl)?.[0] ?? ''
  throw new ConfigurationError(
    `backend "${scheme}" is not known${suggestion(scheme, NAMES)}; known are ${NAMES.join(', ')}`,
  )
}

/** The names that `createBackend` knows. */
export const listBackends = (): readonly BackendName[] => NAMES
