/** Whose records are erased: one user's, or a whole tenant's. */
export interface ErasureSubject {
  readonly tenantId: string
  readonly userId?: string | undefined
}

/** Removes vectors by the hash of what was embedded. An `EmbeddingCache` of ours is one. */
export interface VectorsByHash {
  /** In every space. Answers how many were removed. */
  removeMany(hashes: readonly Uint8Array[]): Promise<number>
  /** Removes physically what deletion left behind. */
  scrub?(): Promise<readonly ScrubStep[]>
}

export interface EraseOptions {
  /** Counts, and changes nothing. Default false. */
  readonly dryRun?: boolean | undefined
  /** Whether what deletion leaves in files is removed too. Default true. */
  readonly scrub?: boolean | undefined
  /** Rows per transaction, 1 to 10,000, default 500. */
  readonly batch?: number | undefined
  /** Archives that the operator knows of: listed in the report as not touched. */
  readonly exports?: readonly string[] | undefined
  /** A cache of embeddings beside the one that the memory was opened with. */
  readonly embeddingCache?: VectorsByHash | undefined
  /**
   * Milliseconds, default 60,000, that are waited for stores that follow the primary to be told, and for others who still
   * read what was deleted.
   */
  readonly deadline?: number | undefined
  /** Told after each batch. */
  readonly onProgress?: ((progress: EraseProgress) => void) | undefined
}

export interface EraseProgress {
  readonly store: string
  /** Rows or keys removed so far. */
  readonly removed: number
}

/** One table, or one kind of keys. */
export interface ErasedPart {
  readonly what: string
  /** Before. */
  readonly found: number
  readonly removed: number
  /** Looked for again afterwards; null in a dry run, and where it cannot be looked for. */
  readonly left: number | null
}

/** What a follower still has to be told before it has forgotten. */
export interface WaitingPart {
  readonly follower: string
  readonly records: number
}

export interface ScrubStep {
  readonly what: string
  readonly done: boolean
  /** Why not, and what to do. */
  readonly reason: string | null
}

export interface EraseStoreReport {
  readonly store: string
  readonly parts: readonly ErasedPart[]
  readonly waiting: readonly WaitingPart[]
  readonly scrub: readonly ScrubStep[]
  /** Where copies stay that only age out. */
  readonly ages: readonly string[]
  /** Why this store could not be erased from. Never content. */
  readonly error: string | null
}

export interface EraseReport {
  readonly subject: { readonly tenantId: string; readonly userId: string | null }
  readonly dryRun: boolean
  readonly startedAt: Date
  readonly endedAt: Date
  readonly stores: readonly EraseStoreReport[]
  /** Archives that this did not touch. */
  readonly exports: readonly { readonly path: string; readonly touched: false }[]
  readonly notes: readonly string[]
  /** Nothing was found any more, in any store. */
  readonly erased: boolean
  /** What deletion left in files was removed in every store. */
  readonly scrubbed: boolean
  /** Both. */
  readonly complete: boolean
}

/** How many of each part there are, or were removed. */
export type PartCounts = Readonly<Record<string, number>>

export interface EraseMeans {
  readonly batch: number
  /** Milliseconds since the epoch, by the memory's clock: when the erasure began. */
  readonly began: number
  /** Forgets vectors that were made of texts, by their SHA-256. */
  readonly forget: (hashes: readonly Uint8Array[]) => Promise<void>
  readonly removed: (count: number) => void
}

/**
 * A store that can be erased from, while it is in use. Every method may be run again after it was ended half-way, and
 * then goes on.
 */
export interface EraseTarget {
  readonly name: string
  /** Kept beside the store by who makes its vectors. */
  readonly vectorsByHash?: VectorsByHash | null | undefined
  /**
   * Counts what there is of the subject, by part: before, and again afterwards, when 0 is expected.
   *
   * @param began What was written later is not counted where it cannot be told whose it is.
   */
  look(subject: ErasureSubject, began: number): Promise<PartCounts>
  /** Removes it, in bounded batches. Answers how many of each part. */
  erase(subject: ErasureSubject, means: EraseMeans): Promise<PartCounts>
  /** What those that follow this store still have to be told of what is gone. */
  waiting?(subject: ErasureSubject): Promise<readonly WaitingPart[]>
  /** Removes physically what deletion leaves behind; waits so many milliseconds for others who still read it. */
  scrub(subject: ErasureSubject, deadline: number): Promise<readonly ScrubStep[]>
  /** Where copies stay that only age out. */
  ages(): Promise<readonly string[]>
}

/** What is kept for how long. Days are of 24 hours. What is not named is kept. */
export interface RetentionPolicy {
  /** Messages older than this many days go, by `createdAt`. */
  readonly messageDays?: number | undefined
  /** The newest of a conversation that stay. */
  readonly messagesPerConversation?: number | undefined
  /** Conversations in which nothing was written for this many days go whole. */
  readonly inactiveConversationDays?: number | undefined
  /** Memories older than this many days go, by `createdAt`. */
  readonly memoryDays?: number | undefined
  /** Sessions that ended this many days ago go. */
  readonly endedSessionDays?: number | undefined
  /** Whether system messages stay, as with `clear`. Default true. */
  readonly keepSystem?: boolean | undefined
}

export interface RetentionOptions {
  /** Default: every tenant. */
  readonly tenantId?: string | undefined
  /** Counts, and changes nothing. Default false. */
  readonly dryRun?: boolean | undefined
  /** Rows per transaction, 1 to 10,000, default 500. */
  readonly batch?: number | undefined
}

/** How many went, or would go. A message that goes by two rules is counted once by a run, and twice by a dry run. */
export interface RetentionReport {
  readonly dryRun: boolean
  readonly tenants: number
  readonly conversations: number
  /** Those of whole conversations included. */
  readonly messages: number
  readonly memories: number
  readonly sessions: number
}
