import type { ConnectionOptions } from 'node:tls'
import type { Limits } from '../options.js'
import type { Tokenizer } from './context.js'
import type { DistanceMetric, EmbeddingCache, EmbeddingFunction, EmbeddingUsage } from './embedder.js'
import type { Reranker, SearchWeights } from './search.js'
import type { ObservabilityOptions } from './telemetry.js'

export type { LogFields, Logger, ObservabilityOptions, TelemetryOptions } from './telemetry.js'

/** How vectors are made and compared. */
export interface EmbeddingOptions {
  /**
   * `offline` (English, no network; needs its packages), a model's name such as `text-embedding-3-small` (through
   * `@langchain/openai`), any LangChain `Embeddings` instance, or an object with `embedDocuments` and `embedQuery`.
   */
  readonly embeddingFunction?: string | EmbeddingFunction | undefined
  /** The name on record for a function that was handed in, or for vectors that the records bring. */
  readonly embeddingModel?: string | undefined
  /** 1 to 16,384. Needed where no function is given and the records bring their own vectors. */
  readonly embeddingDimensions?: number | undefined
  /** Default `cosine`. */
  readonly distanceMetric?: DistanceMetric | undefined
  /** Milliseconds for one call of the model with its retries, default 30,000; then `TimeoutError`. */
  readonly embeddingTimeout?: number | undefined
  /** Texts in one call of the model, default 64. */
  readonly embeddingBatchSize?: number | undefined
  /** Of the model's service. Default: what its client finds in the environment. */
  readonly embeddingApiKey?: string | undefined
  /** Of a service that speaks OpenAI's API. */
  readonly embeddingBaseUrl?: string | undefined
  /**
   * Where vectors are kept by what was embedded, so that no text is embedded twice, whoever's it is:
   * `sqlite:./embeddings.db`, `redis://…`, or an object with `getMany`, `putMany` and `close`. Default: nowhere.
   */
  readonly embeddingCache?: string | EmbeddingCache | undefined
  /** Told of every call for vectors: how many texts and tokens went to the model. */
  readonly onEmbedding?: ((usage: EmbeddingUsage) => void) | undefined
}

/** Options that every backend knows. */
export interface CommonOptions extends EmbeddingOptions, ObservabilityOptions {
  /** `required`: a call outside `forTenant` throws. Default `optional`: it goes to the tenant `default`. */
  readonly tenancy?: 'optional' | 'required' | undefined
  /** The language of the stemmer, such as `english` or `german`; default `english`. */
  readonly language?: string | undefined
  /** What the parts of a hybrid search count, where a search does not say; default 0.75 and 0.25. */
  readonly searchWeights?: SearchWeights | undefined
  /** Puts the best hits of every search that has a text into a better order. */
  readonly reranker?: Reranker | undefined
  /** What `context` counts by: `o200k_base` (default), `cl100k_base`, or an object with a function `count`. */
  readonly tokenizer?: Tokenizer | 'o200k_base' | 'cl100k_base' | undefined
  /** Bounds on what is accepted; see `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits> | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  /** Makes ids. Default: UUIDv7, whose order is that of their making. */
  readonly newId?: (() => string) | undefined
}

export interface PostgresqlOptions extends CommonOptions {
  /** `postgres://user:password@host:5432/database`; of several hosts (`a:5432,b:5432`) the one that accepts writes. */
  readonly connectionString: string
  /** Connections at most, default 10: half of them, rounded up, run single statements, the others units; 1 does both. */
  readonly poolSize?: number | undefined
  /** False behind a pooler that gives each transaction another connection, such as PgBouncer. Default true. */
  readonly prepare?: boolean | undefined
  /** Milliseconds for connecting to a server, default 10,000. */
  readonly connectTimeout?: number | undefined
  /** Milliseconds that a call waits for a connection, default 10,000; then `OverloadedError`. */
  readonly acquireTimeout?: number | undefined
  /** Milliseconds for one statement, default 30,000; then `TimeoutError`. 0 means no end. */
  readonly statementTimeout?: number | undefined
  /** Milliseconds that a unit may do nothing, default 60,000; then the server ends it. 0 means no end. */
  readonly idleInTransactionTimeout?: number | undefined
  /** `require` encrypts, `verify-full` (or true) also checks the certificate; or options of `tls.connect`. */
  readonly ssl?: boolean | 'require' | 'verify-full' | ConnectionOptions | undefined
  /** What the server lists the connections as, default `bruno-memory`. */
  readonly applicationName?: string | undefined
  /** Of a role that may do more: for migrations, the settling of vectors, and sweeps. Default: `connectionString`. */
  readonly maintenanceConnectionString?: string | undefined
  /** Servers that follow this one. Reads outside of units may go there, never to see less than this memory wrote. */
  readonly replicas?: readonly string[] | undefined
  /** Milliseconds that a read waits for a replica to catch up, default 50; then it goes to the primary. */
  readonly replicaWait?: number | undefined
  /** Every statement runs under the policies that `bruno-memory migrate --row-level-security` installs. Default false. */
  readonly rowLevelSecurity?: boolean | undefined
  /** Search by text. Default true. */
  readonly enableFts?: boolean | undefined
  /** `power` (default): an acknowledged write survives power loss. `process`: it survives a killed server process. */
  readonly durability?: 'power' | 'process' | undefined
  /** What `connect()` does with pending migrations: apply them (default), or refuse to open. */
  readonly migrate?: 'auto' | 'check' | undefined
}

export interface SqliteOptions extends CommonOptions {
  /** A file path, or `:memory:` for a database private to this instance. Its folder must exist. */
  readonly databasePath: string
  /** Keep and search the full-text index. Default true. */
  readonly enableFts?: boolean | undefined
  /** `power` (default): an acknowledged write survives power loss. `process`: it survives a killed process. */
  readonly durability?: 'power' | 'process' | undefined
  /** What `connect()` does with pending migrations: apply them (default), or refuse to open. */
  readonly migrate?: 'auto' | 'check' | undefined
  /** Milliseconds to wait for another process's write, default 5,000; then `TimeoutError`. */
  readonly busyTimeout?: number | undefined
  /** Milliseconds a write waits for a unit of this process to end, default 30,000; then `TimeoutError`. */
  readonly writeTimeout?: number | undefined
}

/** One server of a Redis Cluster, or one sentinel. */
export interface RedisNode {
  readonly host: string
  readonly port: number
}

export interface RedisOptions extends CommonOptions {
  /** `redis://user:password@host:6379/0`, `rediss://…` for TLS; instead of `host`, `port` and `db`. */
  readonly url?: string | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 6379. */
  readonly port?: number | undefined
  /** Number of the database, default 0. A Cluster has no other. */
  readonly db?: number | undefined
  /** Of an ACL user. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** True checks the certificate by the system's authorities; or options of `tls.connect`. */
  readonly tls?: boolean | ConnectionOptions | undefined
  /** Some nodes of a Redis Cluster; the others are found. All of a tenant's keys lie in one slot, on one node. */
  readonly cluster?: readonly RedisNode[] | undefined
  /** Sentinels, which know where the primary is. */
  readonly sentinels?: readonly RedisNode[] | undefined
  /** What the sentinels call the primary, default `mymaster`. */
  readonly sentinelName?: string | undefined
  readonly sentinelPassword?: string | undefined
  /** In front of every key, default `bruno_memory`: two memories with different prefixes share nothing. */
  readonly prefix?: string | undefined
  /** Seconds after which a conversation, session or memory expires, default never. An earlier `expiresAt` wins. */
  readonly ttl?: number | undefined
  /** Appending to a conversation, and using a session, begins the `ttl` anew. Default false. */
  readonly slidingTtl?: boolean | undefined
  /** Milliseconds for connecting to a server, default 10,000. */
  readonly connectTimeout?: number | undefined
  /** Milliseconds for one call with its retries, default 10,000; then `ConnectionError` or `TimeoutError`. */
  readonly callTimeout?: number | undefined
  /** Milliseconds that a write waits for a unit which holds the record, default 10,000; then `TimeoutError`. */
  readonly writeTimeout?: number | undefined
  /**
   * What the server must promise, or `connect()` refuses: `power` needs `appendfsync always` and `noeviction`,
   * `process` an append-only file and `noeviction`. Default: whatever it promises; see `capabilities.durability`.
   */
  readonly durability?: 'power' | 'process' | 'none' | undefined
  /** Writes also tell `memory.events`; an object bounds how many of a tenant's events are kept, default 10,000. */
  readonly events?: boolean | { readonly keep?: number | undefined } | undefined
}

/** How a graph of neighbours is built and searched; what is left out is the server's own default. */
export interface QdrantHnsw {
  /** Edges per node. 0: no graph over all tenants, only one for each (with `payloadM`). */
  readonly m?: number | undefined
  /** Edges per node of each tenant's own graph. */
  readonly payloadM?: number | undefined
  /** Neighbours considered while building. */
  readonly efConstruct?: number | undefined
  /** Kilobytes of vectors below which all are compared. */
  readonly fullScanThreshold?: number | undefined
  readonly onDisk?: boolean | undefined
}

/** Smaller copies of the vectors that are searched first; what they find is compared again by the whole vectors. */
export type QdrantQuantization =
  | { readonly type: 'scalar'; readonly quantile?: number | undefined; readonly alwaysRam?: boolean | undefined }
  | {
      readonly type: 'product'
      readonly compression: 'x4' | 'x8' | 'x16' | 'x32' | 'x64'
      readonly alwaysRam?: boolean | undefined
    }
  | { readonly type: 'binary'; readonly alwaysRam?: boolean | undefined }

export interface QdrantOptions extends CommonOptions {
  /** `http://127.0.0.1:6333`; instead of `host`, `port` and `https`. A path is kept, a key in it is `apiKey`. */
  readonly url?: string | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 6333. */
  readonly port?: number | undefined
  readonly https?: boolean | undefined
  /** Options of `tls.connect`, such as the authority `ca`; with `https`. */
  readonly tls?: ConnectionOptions | undefined
  readonly apiKey?: string | undefined
  /** Default `bruno_memory`. */
  readonly collectionName?: string | undefined
  /**
   * How tenants are kept apart: `payload` (default), all in one collection with an index by tenant; `collection`, one for
   * each; `shard`, a shard of their own for `shardTenants`, which need a server in cluster mode.
   */
  readonly tenantsBy?: 'payload' | 'collection' | 'shard' | undefined
  /** The large tenants that have a shard of their own; all others share one. */
  readonly shardTenants?: readonly string[] | undefined
  /** Whether a write waits until searches see it. Default true. */
  readonly wait?: boolean | undefined
  /** Milliseconds for one call with its retries, default 10,000; then `ConnectionError` or `TimeoutError`. */
  readonly callTimeout?: number | undefined
  /** Neighbours looked at by a search that is not `exact`; default: the server's. */
  readonly efSearch?: number | undefined
  /** These shape a collection when it is made. */
  readonly hnsw?: QdrantHnsw | undefined
  readonly quantization?: QdrantQuantization | undefined
  /** Vectors are read from disk. */
  readonly onDisk?: boolean | undefined
  /** Payloads are read from disk. Default: the server's. */
  readonly onDiskPayload?: boolean | undefined
  readonly shardNumber?: number | undefined
  readonly replicationFactor?: number | undefined
  /** Replicas that must have a write before it is acknowledged. */
  readonly writeConsistencyFactor?: number | undefined
}

/** How a collection's graph of neighbours is built and searched; what is left out is the server's own default. */
export interface ChromaHnsw {
  /** Neighbours considered while building. */
  readonly efConstruction?: number | undefined
  /** Neighbours looked at by a search. */
  readonly efSearch?: number | undefined
  /** Edges per node. */
  readonly maxNeighbors?: number | undefined
}

export interface ChromaOptions extends CommonOptions {
  /**
   * Local mode: the folder of a server that is started, shared by all processes that name the folder, and gone soon after
   * the last of them. Instead of `host`, `port` and `ssl`.
   */
  readonly persistDirectory?: string | undefined
  /** Local mode: the program to start, or the client's native module. Default: see `docs/chromadb.md`. */
  readonly chromaCommand?: string | undefined
  /** Local mode: milliseconds until the server must answer, default 60,000. */
  readonly startTimeout?: number | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 8000. */
  readonly port?: number | undefined
  readonly ssl?: boolean | undefined
  /** Sent with every request, such as `{ authorization: 'Bearer …' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Of the server; no boundary between the memory's tenants. Default `default_tenant`. */
  readonly chromaTenant?: string | undefined
  /** Of the server. Default `default_database`. */
  readonly chromaDatabase?: string | undefined
  /** In front of the name of every collection, default `bruno_memory`. */
  readonly collectionName?: string | undefined
  /** Milliseconds for one call with its retries, default 10,000; then `ConnectionError` or `TimeoutError`. */
  readonly callTimeout?: number | undefined
  /** These shape a collection when it is made. */
  readonly hnsw?: ChromaHnsw | undefined
}

/** Options as the Python package bruno-memory calls them, in camel case. */
export interface SqliteSpellings {
  /** Seconds: `busyTimeout`. */
  readonly connectionTimeout?: number | undefined
}

/** Options as the Python package bruno-memory calls them, in camel case; instead of a `connectionString`. */
export interface PostgresqlSpellings {
  /** Default `localhost`. */
  readonly host?: string | undefined
  /** Default 5432. */
  readonly port?: number | undefined
  readonly database: string
  readonly username: string
  readonly password?: string | undefined
  /** `ssl`; `disable` is false. */
  readonly sslMode?: 'disable' | 'require' | 'verify-full' | undefined
  /** `poolSize`. */
  readonly poolMaxSize?: number | undefined
}

/** Options as the Python package bruno-memory calls them, in camel case. */
export interface RedisSpellings {
  /** `db`. */
  readonly database?: number | undefined
  /** `tls`. */
  readonly ssl?: boolean | undefined
  /** Seconds: `ttl`. */
  readonly ttlDefault?: number | undefined
  /** Seconds: `ttl`. */
  readonly ttlSeconds?: number | undefined
  /** `prefix`. */
  readonly keyPrefix?: string | undefined
  /** Seconds: `callTimeout`. */
  readonly socketTimeout?: number | undefined
  /** Seconds: `connectTimeout`. */
  readonly socketConnectTimeout?: number | undefined
}
