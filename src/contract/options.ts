import type { ConnectionOptions } from 'node:tls'
import type { Limits } from '../options.js'
import type { Tokenizer } from './context.js'
import type { DistanceMetric, EmbeddingFunction } from './embedder.js'
import type { Reranker, SearchWeights } from './search.js'

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
}

/** Options that every backend knows. */
export interface CommonOptions extends EmbeddingOptions {
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
