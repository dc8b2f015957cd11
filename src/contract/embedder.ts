import type { ScrubStep } from './erase.js'

/** What a caller may hand in: any LangChain `Embeddings` instance has this shape. */
export interface EmbeddingFunction {
  embedDocuments(texts: string[]): Promise<ArrayLike<number>[]>
  embedQuery(text: string): Promise<ArrayLike<number>>
}

export type DistanceMetric = 'cosine' | 'dot' | 'euclidean'

/** An embedding space: vectors of different spaces are never compared. */
export interface EmbeddingSpace {
  readonly provider: string
  readonly model: string
  readonly dimensions: number
  readonly metric: DistanceMetric
}

/**
 * Makes vectors of texts, checked: as many as there are texts, of one dimension, finite, not all zero. Every failure is
 * a typed error without content: `TimeoutError`, `ConnectionError` (retryable) or `ConfigurationError`.
 */
export interface Embedder {
  /** Where vectors are kept by what was embedded; null where they are not. */
  readonly cache?: EmbeddingCache | null
  readonly provider: string
  readonly model: string
  /** Null until the first vector, where neither the model's name nor the caller tells. */
  readonly dimensions: number | null
  /** In batches; the answer has the texts' order. */
  embedDocuments(texts: readonly string[]): Promise<Float32Array[]>
  /** Repeated questions are answered from a bounded cache. */
  embedQuery(text: string): Promise<Float32Array>
  close(): Promise<void>
}

/** How a store makes and compares vectors. */
export interface VectorSettings {
  readonly embedder: Embedder | null
  readonly metric: DistanceMetric
  /** What the caller said; needed where only the records bring vectors. */
  readonly dimensions: number | null
  /** The name recorded for vectors that the records bring. */
  readonly model: string
}

/** Keeps vectors by what was embedded, across processes. A cache that fails is a miss. */
export interface EmbeddingCache {
  /** `space` names the model; a hash is 32 bytes of the text. In their order, null for what is not there. */
  getMany(space: string, hashes: readonly Uint8Array[]): Promise<readonly (Float32Array | null)[]>
  putMany(space: string, entries: readonly EmbeddingCacheEntry[]): Promise<void>
  /** Removes what was made of some texts, in every space, for an erasure. Answers how many there were. */
  removeMany?(hashes: readonly Uint8Array[]): Promise<number>
  /** Removes from files what deletion leaves in them. */
  scrub?(): Promise<readonly ScrubStep[]>
  close(): Promise<void>
}

export interface EmbeddingCacheEntry {
  readonly hash: Uint8Array
  readonly vector: Float32Array
}

/** What a call for vectors came to. */
export interface EmbeddingUsage {
  readonly model: string
  /** Texts that were asked for, each counted once. */
  readonly texts: number
  /** Of these, answered without the model. */
  readonly cached: number
  /** Of the texts that were sent, by the encoding `o200k_base`; a service may count by another one. */
  readonly tokens: number
}
