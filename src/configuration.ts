import * as v from 'valibot'
import { ENCODINGS, type Encoding } from './context/tokens.js'
import type { Tokenizer } from './contract/context.js'
import type { EmbeddingCache, EmbeddingFunction, EmbeddingUsage } from './contract/embedder.js'
import type {
  ChromaOptions,
  CommonOptions,
  PostgresqlOptions,
  QdrantOptions,
  RedisOptions,
  SqliteOptions,
} from './contract/options.js'
import type { Reranker } from './contract/search.js'
import type { Logger } from './contract/telemetry.js'
import { MAX_DIMENSIONS } from './embeddings/vector.js'
import { id, type ObjectSchema, whole } from './model/parse.js'
import { DEFAULT_LIMITS, type Limits } from './options.js'

/** Longer than a timer can be set for, and it would fire at once. */
const MAX_TIMER = 2 ** 31 - 1
const limits = v.strictObject(
  Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, v.optional(whole(1))])) as {
    [K in keyof Limits]: v.OptionalSchema<ReturnType<typeof whole>, undefined>
  },
)
const functionOf = <T>() => v.custom<T>((value) => typeof value === 'function', 'must be a function')
const isEmbeddingFunction = (value: unknown): value is EmbeddingFunction =>
  typeof (value as EmbeddingFunction | null)?.embedDocuments === 'function' &&
  typeof (value as EmbeddingFunction).embedQuery === 'function'
const isEmbeddingCache = (value: unknown): value is EmbeddingCache =>
  (['getMany', 'putMany', 'close'] as const).every(
    (name) => typeof (value as EmbeddingCache | null)?.[name] === 'function',
  )
const isLogger = (value: unknown): value is Logger =>
  (['debug', 'info', 'warn', 'error'] as const).every((name) => typeof (value as Logger | null)?.[name] === 'function')
const flag = v.optional(v.boolean())
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
  embeddingCache: v.optional(
    v.custom<string | EmbeddingCache>(
      (value) => (typeof value === 'string' ? /^(sqlite|file|rediss?):./.test(value) : isEmbeddingCache(value)),
      'must be sqlite:<file>, redis://…, or an object with getMany, putMany and close',
    ),
  ),
  onEmbedding: v.optional(functionOf<(usage: EmbeddingUsage) => void>()),
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
  telemetry: v.optional(v.union([v.boolean(), v.strictObject({ spans: flag, metrics: flag, tenant: flag })])),
  logger: v.optional(v.custom<Logger>(isLogger, 'must be an object with functions debug, info, warn and error')),
  limits: v.optional(limits),
  clock: v.optional(functionOf<() => number>()),
  newId: v.optional(functionOf<() => string>()),
}
const sql = {
  enableFts: v.optional(v.boolean()),
  durability: v.optional(v.picklist(['power', 'process'])),
  migrate: v.optional(v.picklist(['auto', 'check'])),
  ...common,
}
const sqlite = v.strictObject({
  databasePath: v.pipe(
    v.string(),
    v.check((path) => path !== '' && !path.includes('\0'), 'must be a file path or :memory:'),
  ),
  busyTimeout: v.optional(whole(0, MAX_TIMER)),
  writeTimeout: v.optional(whole(1, MAX_TIMER)),
  ...sql,
})

const postgresUrl = v.pipe(
  v.string(),
  v.check(
    (url) => /^postgres(ql)?:\/\//.test(url),
    'must be a URL such as postgres://user:password@host:5432/database',
  ),
)
const postgresql = v.strictObject({
  connectionString: postgresUrl,
  poolSize: v.optional(whole(1, 1000)),
  prepare: v.optional(v.boolean()),
  connectTimeout: v.optional(whole(1, MAX_TIMER)),
  acquireTimeout: v.optional(whole(1, MAX_TIMER)),
  statementTimeout: v.optional(whole(0, 10 ** 9)),
  idleInTransactionTimeout: v.optional(whole(0, 10 ** 9)),
  ssl: v.optional(
    v.custom<boolean | 'require' | 'verify-full' | object>(
      (value) =>
        ['boolean', 'object'].includes(typeof value) ? value !== null : value === 'require' || value === 'verify-full',
      'must be true, false, require, verify-full or options of tls.connect',
    ),
  ),
  applicationName: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(63))),
  maintenanceConnectionString: v.optional(postgresUrl),
  replicas: v.optional(v.array(postgresUrl)),
  replicaWait: v.optional(whole(0, MAX_TIMER)),
  rowLevelSecurity: v.optional(v.boolean()),
  ...sql,
})

const node = v.strictObject({ host: v.pipe(v.string(), v.nonEmpty()), port: whole(1, 65_535) })
const nodes = v.pipe(
  v.array(node),
  v.check((list) => list.length > 0, 'must name at least one'),
)
const redis = v.strictObject({
  url: v.optional(
    v.pipe(
      v.string(),
      v.check((url) => /^rediss?:\/\//.test(url), 'must be a URL such as redis://user:password@host:6379/0'),
    ),
  ),
  host: v.optional(v.pipe(v.string(), v.nonEmpty())),
  port: v.optional(whole(1, 65_535)),
  db: v.optional(whole(0, 65_535)),
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  tls: v.optional(
    v.custom<boolean | object>(
      (value) => ['boolean', 'object'].includes(typeof value) && value !== null,
      'must be true, false or options of tls.connect',
    ),
  ),
  cluster: v.optional(nodes),
  sentinels: v.optional(nodes),
  sentinelName: v.optional(v.pipe(v.string(), v.nonEmpty())),
  sentinelPassword: v.optional(v.string()),
  prefix: v.optional(id),
  ttl: v.optional(
    v.pipe(
      v.number(),
      v.check((n) => n > 0 && n <= 10 ** 9, 'must be a number of seconds above 0'),
    ),
  ),
  slidingTtl: v.optional(v.boolean()),
  connectTimeout: v.optional(whole(1, MAX_TIMER)),
  callTimeout: v.optional(whole(1, MAX_TIMER)),
  writeTimeout: v.optional(whole(1, MAX_TIMER)),
  durability: v.optional(v.picklist(['power', 'process', 'none'])),
  events: v.optional(v.union([v.boolean(), v.strictObject({ keep: v.optional(whole(1, 10 ** 9)) })])),
  ...common,
})

const text = v.pipe(v.string(), v.nonEmpty())
const place = { host: v.optional(text), port: v.optional(whole(1, 65_535)) }
const settings = <E extends v.ObjectEntries>(entries: E) => v.optional(v.strictObject(entries))
const qdrantHnsw = {
  m: v.optional(whole(0, 10_000)),
  payloadM: v.optional(whole(0, 10_000)),
  efConstruct: v.optional(whole(4, 100_000)),
  fullScanThreshold: v.optional(whole(0)),
  onDisk: v.optional(v.boolean()),
}
const alwaysRam = v.optional(v.boolean())
const qdrant = v.strictObject({
  url: v.optional(
    v.pipe(
      v.string(),
      v.check((url) => /^https?:\/\//.test(url), 'must be a URL such as http://127.0.0.1:6333'),
    ),
  ),
  ...place,
  https: v.optional(v.boolean()),
  tls: v.optional(
    v.custom<object>((value) => typeof value === 'object' && value !== null, 'must be options of tls.connect'),
  ),
  apiKey: v.optional(text),
  collectionName: v.optional(id),
  tenantsBy: v.optional(v.picklist(['payload', 'collection', 'shard'])),
  shardTenants: v.optional(v.array(id)),
  wait: v.optional(v.boolean()),
  callTimeout: v.optional(whole(1, MAX_TIMER)),
  efSearch: v.optional(whole(1, 100_000)),
  hnsw: settings(qdrantHnsw),
  quantization: v.optional(
    v.variant('type', [
      v.strictObject({
        type: v.literal('scalar'),
        quantile: v.optional(v.pipe(v.number(), v.minValue(0.5), v.maxValue(1))),
        alwaysRam,
      }),
      v.strictObject({
        type: v.literal('product'),
        compression: v.picklist(['x4', 'x8', 'x16', 'x32', 'x64']),
        alwaysRam,
      }),
      v.strictObject({ type: v.literal('binary'), alwaysRam }),
    ]),
  ),
  onDisk: v.optional(v.boolean()),
  onDiskPayload: v.optional(v.boolean()),
  shardNumber: v.optional(whole(1, 10_000)),
  replicationFactor: v.optional(whole(1, 1000)),
  writeConsistencyFactor: v.optional(whole(1, 1000)),
  ...common,
})

const chromadb = v.strictObject({
  persistDirectory: v.optional(text),
  chromaCommand: v.optional(text),
  startTimeout: v.optional(whole(1, MAX_TIMER)),
  ...place,
  ssl: v.optional(v.boolean()),
  headers: v.optional(v.record(v.string(), v.string())),
  chromaTenant: v.optional(text),
  chromaDatabase: v.optional(text),
  collectionName: v.optional(text),
  callTimeout: v.optional(whole(1, MAX_TIMER)),
  hnsw: settings({
    efConstruction: v.optional(whole(1, 100_000)),
    efSearch: v.optional(whole(1, 100_000)),
    maxNeighbors: v.optional(whole(1, 10_000)),
  }),
  ...common,
})

/** The options of each backend, as they are checked. */
export const OPTIONS = {
  sqlite: sqlite as unknown as ObjectSchema<SqliteOptions>,
  postgresql: postgresql as unknown as ObjectSchema<PostgresqlOptions>,
  redis: redis as unknown as ObjectSchema<RedisOptions>,
  qdrant: qdrant as unknown as ObjectSchema<QdrantOptions>,
  chromadb: chromadb as unknown as ObjectSchema<ChromaOptions>,
}

/** The options of a backend from elsewhere: the common ones, and those of its own by name, which it checks itself. */
export function optionsOf(names: readonly string[]): ObjectSchema<CommonOptions> {
  const own = Object.fromEntries(names.map((name) => [name, v.optional(v.unknown())]))
  return v.strictObject({ ...own, ...common }) as unknown as ObjectSchema<CommonOptions>
}
