import type { MemoryType, Role, SearchKind } from '../model/records.js'

export type Scalar = string | number | boolean | null

/** One condition on a key of `metadata`: a plain value means equality of type and value. */
export type MetadataCondition =
  | Scalar
  | {
      readonly in?: readonly Scalar[] | undefined
      readonly gt?: number | string | undefined
      readonly gte?: number | string | undefined
      readonly lt?: number | string | undefined
      readonly lte?: number | string | undefined
    }

/** Conditions by top-level key; all of them must hold. Keys are taken literally, dots included. */
export type MetadataFilter = Readonly<Record<string, MetadataCondition>>

/** The filters of listings and searches. Each narrows; none is ever ignored. */
export interface Filter {
  readonly userId?: string | undefined
  readonly conversationId?: string | undefined
  /** Documents only. */
  readonly namespace?: string | undefined
  /** Messages only. */
  readonly roles?: readonly Role[] | undefined
  /** Memories only. */
  readonly types?: readonly MemoryType[] | undefined
  /** Memories only. */
  readonly tags?: readonly string[] | undefined
  /** Default `any`. */
  readonly tagsMatch?: 'any' | 'all' | undefined
  /** Memories only. */
  readonly category?: string | undefined
  /** Created at or after. */
  readonly from?: Date | undefined
  /** Created before. */
  readonly to?: Date | undefined
  /** Memories only. */
  readonly minImportance?: number | undefined
  /** Memories only. */
  readonly minConfidence?: number | undefined
  readonly metadata?: MetadataFilter | undefined
  readonly includeExpired?: boolean | undefined
}

/** Which kinds a filter can be asked of. A search without `kinds` covers the kinds that know all of its filters. */
export const FILTER_KINDS: { readonly [K in keyof Filter]-?: readonly SearchKind[] } = {
  userId: ['message', 'memory'],
  conversationId: ['message', 'memory'],
  namespace: ['document'],
  roles: ['message'],
  types: ['memory'],
  tags: ['memory'],
  tagsMatch: ['memory'],
  category: ['memory'],
  from: ['message', 'memory', 'document'],
  to: ['message', 'memory', 'document'],
  minImportance: ['memory'],
  minConfidence: ['memory'],
  metadata: ['message', 'memory', 'document'],
  includeExpired: ['message', 'memory', 'document'],
}
