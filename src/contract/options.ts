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
