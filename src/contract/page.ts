/** A page of a listing, in the listing's order. */
export interface Page<T> {
  readonly items: readonly T[]
  /** Hand it back as `before` for the page in front of this one; null where the page is empty. */
  readonly before: string | null
  /** Hand it back as `after` for the page behind this one; null where the page is empty. */
  readonly after: string | null
  /** Whether the listing goes on in the direction that was asked for. */
  readonly hasMore: boolean
}

/** Cursors are opaque and exclusive, and stay right while rows come and go. At most one of the two may be given. */
export interface PageOptions {
  readonly before?: string | undefined
  readonly after?: string | undefined
  /** 1 to 1,000, default 50. */
  readonly limit?: number | undefined
}
