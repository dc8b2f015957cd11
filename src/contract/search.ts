import type { Document, MemoryEntry, Message, SearchKind } from '../model/records.js'
import type { Filter } from './filter.js'

export type SearchMode = 'text' | 'vector' | 'hybrid'

/** What each part of a hybrid search counts; only their ratio matters. */
export interface SearchWeights {
  /** Default 0.75. */
  readonly text?: number | undefined
  /** Default 0.25. */
  readonly vector?: number | undefined
}

/**
 * How much age and importance weigh in the score of a memory, which is multiplied by
 * `(1 - recency + recency × 0.5^(age / halfLife)) × (1 - importance + importance × the memory's importance)`.
 * Messages and documents are not touched.
 */
export interface SearchFactors {
  /** 0 (default: age does not matter) to 1. */
  readonly recency?: number | undefined
  /** Days after which the recency is half, default 30. Age is counted from `createdAt`. */
  readonly halfLife?: number | undefined
  /** 0 (default) to 1. */
  readonly importance?: number | undefined
}

export interface SearchQuery extends Filter {
  /** Any text: it is taken as words, never as a query language. May be absent where a `vector` is given. */
  readonly text?: string | undefined
  /** The question's vector, where the caller has it already; otherwise it is made of `text`. */
  readonly vector?: ArrayLike<number> | undefined
  /** Default `text`; `vector` where the memory finds no words. */
  readonly mode?: SearchMode | undefined
  /** Default: every kind that knows all the filters given. */
  readonly kinds?: readonly SearchKind[] | undefined
  /** 1 to 1,000, default 10. Applied after all filters. */
  readonly limit?: number | undefined
  /** Leaves out hits below it: 0 to 1, default 0. */
  readonly minScore?: number | undefined
  /** How many of each part are looked at: 1 to 10,000, default 100 (50 in mode `text`), and at least `limit`. */
  readonly candidates?: number | undefined
  /** Whether a message is also found, at a lower weight, by the words of the turns around it. Default true. */
  readonly neighbours?: boolean | undefined
  /** `true`: compare the question's vector with every vector, where a large store would look at a selection first. */
  readonly exact?: boolean | undefined
  readonly weights?: SearchWeights | undefined
  readonly factors?: SearchFactors | undefined
  /** `false` leaves out the memory's reranker. Default true. */
  readonly rerank?: boolean | undefined
  /** Adds `explain` to each hit. */
  readonly explain?: boolean | undefined
  /** Waits first until everything that this tenant has written can be found. Default false. */
  readonly fresh?: boolean | undefined
  /** Milliseconds that `fresh` waits for, default 10,000; then `TimeoutError`. */
  readonly deadline?: number | undefined
}

/** What one word of the question brings to a hit. */
export interface TermExplanation {
  readonly term: string
  /** In how many of the tenant's records of this kind it occurs. */
  readonly documents: number
  /** Inverse document frequency: ln(1 + (N - n + 0.5) / (n + 0.5)). */
  readonly idf: number
  /** Its part of `bm25`. */
  readonly part: number
  /** Where it counts most: 0 in the record itself, -1 one turn before, null in the conversation's title or tags. */
  readonly distance: number | null
}

/** Where a score comes from. */
export interface Explanation {
  /** The words that were searched, as the analyzer made them. */
  readonly terms: readonly string[]
  /** The sum over the words before it was brought into [0, 1); 0 where no word was found. */
  readonly bm25: number
  /** `bm25 / (bm25 + the sum of all the words' idf)`: near 0.5 where every word stands once. */
  readonly text?: { readonly score: number; readonly rank: number; readonly terms: readonly TermExplanation[] }
  readonly vector?: {
    /** With the neighbours' similarities at lower weights. */
    readonly score: number
    /** Of this record alone: the cosine, the dot product, or 1 / (1 + distance); not below 0. */
    readonly similarity: number
    readonly rank: number
  }
  /** What the two parts count, each brought into [0, 1] over its candidates; hybrid only. */
  readonly fusion?: { readonly text: number; readonly vector: number }
  /** What `factors` multiplied the score by. */
  readonly factors?: { readonly recency: number; readonly importance: number }
  /** The score before the reranker replaced it. */
  readonly reranked?: { readonly from: number }
}

interface HitOf<K extends SearchKind, R> {
  readonly kind: K
  readonly record: R
  /** In [0, 1], higher is better; comparable within one answer. */
  readonly score: number
  readonly explain?: Explanation | undefined
}

export type MessageHit = HitOf<'message', Message>
export type MemoryHit = HitOf<'memory', MemoryEntry>
export type DocumentHit = HitOf<'document', Document>
export type Hit = MessageHit | MemoryHit | DocumentHit

/** Puts hits into a better order, such as a cross-encoder or a model behind an API. */
export interface Reranker {
  /** One score in [0, 1] for each text, in their order. */
  rerank(question: string, texts: readonly string[]): Promise<readonly number[]>
}
