import type { Document, MemoryEntry, Message, SearchKind } from '../model/records.js'
import type { Filter } from './filter.js'

export type SearchMode = 'text' | 'vector' | 'hybrid'

export interface SearchQuery extends Filter {
  /** Any text: it is taken as words, never as a query language. */
  readonly text: string
  /** Default `text`. */
  readonly mode?: SearchMode | undefined
  /** Default: every kind that knows all the filters given. */
  readonly kinds?: readonly SearchKind[] | undefined
  /** 1 to 1,000, default 10. Applied after all filters. */
  readonly limit?: number | undefined
  /** Adds `explain` to each hit. */
  readonly explain?: boolean | undefined
}

/** Where a score comes from. */
export interface Explanation {
  /** The words that were searched, as the analyzer made them. */
  readonly terms: readonly string[]
  /** BM25 before it was brought into [0, 1). */
  readonly bm25: number
}

interface HitOf<K extends SearchKind, R> {
  readonly kind: K
  readonly record: R
  /** In [0, 1), higher is better; comparable within one answer. */
  readonly score: number
  readonly explain?: Explanation | undefined
}

export type MessageHit = HitOf<'message', Message>
export type MemoryHit = HitOf<'memory', MemoryEntry>
export type DocumentHit = HitOf<'document', Document>
export type Hit = MessageHit | MemoryHit | DocumentHit
