import { v7 } from 'uuid'
import * as v from 'valibot'
import { ENCODINGS, type Encoding } from './context/tokens.js'
import type { Capabilities } from './contract/capabilities.js'
import type { Tokenizer } from './contract/context.js'
import type { EmbeddingFunction, VectorSettings } from './contract/embedder.js'
import type { Memory } from './contract/memory.js'
import type { EmbeddingOptions, SqliteOptions } from './contract/options.js'
import type { Reranker } from './contract/search.js'
import { type EmbedderSettings, providerOf } from './embeddings/provider.js'
import { MAX_DIMENSIONS } from './embeddings/vector.js'
import { ConfigurationError } from './errors.js'
import { makeMemory } from './memory.js'
import { type ObjectSchema, parseOptions, suggestion, whole } from './model/parse.js'
import { DEFAULT_LIMITS, type Limits } from './options.js'

const limits = v.strictObject(
  Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, v.optional(whole(1))])) as {
    [K in keyof Limits]: v.OptionalSchema<ReturnType<typeof whole>, undefined>
  },
)
const functionOf = <T>() => v.custom<T>((value) => typeof value === 'function', 'must be a function')
const isEmbeddingFunction = (value: unknown): value is EmbeddingFunction =>
  typeof (value as EmbeddingFunction | null)?.embedDocuments === 'function' &&
  typeof (value as EmbeddingFunction).embedQuery === 'function'
const weight = v.pipe(v.number(), v.minValue(0), v.maxValue(1000))
const common = {
  tenancy: v.optional(v.picklist(['optional', 'required'])),
  language: v.optional(v.string()),
  embeddingFunction: v.optional(
    v.custom<string | EmbeddingFunction>(
      (value) => typeof value === 'string' || isEmbeddingFunction(value),
      'must be a name, or an object with embedDocuments and embedQuery',
    ),
  ),
  embeddingModel: v.optional(v.pipe(v.string(), v.nonEmpty())),
  embeddingDimensions: v.optional(whole(1, MAX_DIMENSIONS)),
  distanceMetric: v.optional(v.picklist(['cosine', 'dot', 'euclidean'])),
  embeddingTimeout: v.optional(whole(1, 2 ** 31 - 1)),
  embeddingBatchSize: v.optional(whole(1, 10_000)),
  embeddingApiKey: v.optional(v.string()),
  embeddingBaseUrl: v.optional(v.string()),
  searchWeights: v.optional(v.strictObject({ text: v.optional(weight), vector: v.optional(weight) })),
  tokenizer: v.optional(
    v.custom<Tokenizer | Encoding>(
      (value) => ENCODINGS.includes(value as Encoding) || typeof (value as Tokenizer | null)?.count === 'function',
      `must be ${ENCODINGS.join(' or ')}, or an object with a function count`,
    ),
  ),
  reranker: v.optional(
    v.custom<Reranker>(
      (value) => typeof (value as Reranker | null)?.rerank === 'function',
      'must be an object with a function rerank',
    ),
  ),
  limits: v.optional(limits),
  clock: v.optional(functionOf<() => number>()),
  newId: v.optional(functionOf<() => string>()),
}
const sqlite = v.strictObject({
  databasePath: v.pipe(
    v.string(),
    v.check((path) => path !== '' && !path.includes('\0'), 'must be a file path or :memory:'),
  ),
  enableFts: v.optional(v.boolean()),
  durability: v.optional(v.picklist(['power', 'process'])),
  migrate: v.optional(v.picklist(['auto', 'check'])),
  // Longer than a timer can be set for, and it would fire at once.
  busyTimeout: v.optional(whole(0, 2 ** 31 - 1)),
  writeTimeout: v.optional(whole(1, 2 ** 31 - 1)),
  ...common,
})

const NAMES = ['sqlite'] as const
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

function sqliteMemory(input: unknown): Memory {
  const options = parseOptions(sqlite as unknown as ObjectSchema<SqliteOptions>, input)
  const weights = { text: options.searchWeights?.text ?? 0.75, vector: options.searchWeights?.vector ?? 0.25 }
  if (weights.text + weights.vector <= 0) throw new ConfigurationError('option searchWeights: must not both be 0')
  embedderSettings(options)
  const settings = { ...options, weights, clock: options.clock ?? Date.now, newId: options.newId ?? (() => v7()) }
  const capabilities: Capabilities = {
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
    durability: options.databasePath === ':memory:' ? 'none' : (options.durability ?? 'power'),
  }
  return makeMemory({
    capabilities,
    tokenizer: options.tokenizer,
    tenancy: options.tenancy ?? 'optional',
    clock: settings.clock,
    load: async () => {
      const { SqliteBackend } = await import('./backends/sqlite/backend.js')
      const vectors = await vectorSettings(options)
      return new SqliteBackend({ ...settings, vectors }, capabilities)
    },
  })
}

/** `sqlite:./memory.db`, `file:./memory.db`, `sqlite::memory:` or a name. */
export function sqlitePath(url: string): string | null {
  return /^(?:sqlite|file):(?:\/\/)?(.*)$/s.exec(url)?.[1] ?? null
}

/**
 * Makes a memory over one backend, by its name and options or by a URL such as `sqlite:./memory.db`. Nothing is opened
 * before `connect()` or the first call.
 *
 * @throws ConfigurationError for an unknown name, URL or option, with the nearest known one.
 */
export function createBackend(name: 'sqlite', options: SqliteOptions): Memory
export function createBackend(url: string, options?: Partial<SqliteOptions>): Memory
export function createBackend(nameOrUrl: string, options: Partial<SqliteOptions> = {}): Memory {
  if (typeof nameOrUrl !== 'string') throw new ConfigurationError('the backend must be given by a name or a URL')
  if (nameOrUrl === 'sqlite') return sqliteMemory(options)
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
