import type { SearchKind } from '../model/records.js'
import type { OutboxDepth } from './follow.js'
import type { EmbeddingOptions } from './options.js'

/** A store that follows the primary, and what it still has to be told. */
export interface FollowerStatus extends OutboxDepth {
  /** `semantic` or `cache`. */
  readonly kind: string
  /** `seeding` until it was told of everything that was there before it. */
  readonly state: string
  /** Where it is, without secrets. */
  readonly place: string
}

/** A record by its key. */
export interface DifferingRecord {
  readonly tenantId: string
  readonly kind: SearchKind
  /** The conversation of a message, the namespace of a document, empty for a memory. */
  readonly scope: string
  readonly id: string
}

export interface VerifyOptions {
  /** Only this tenant's records. Default: all. */
  readonly tenantId?: string | undefined
  /** Hands what differs to the follower again. Default false. */
  readonly repair?: boolean | undefined
  /** Told after each page. */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined
}

export interface VerifyProgress {
  /** Records read of the primary and of the follower, over all passes. */
  readonly read: number
  /** About how many there are, where nothing differs. */
  readonly total: number
}

/** How what follows differs from the primary. Records whose turn is still to come differ from nothing. */
export interface VerifyReport {
  /** The semantic store's name; empty where there is none. */
  readonly follower: string
  /** Records with a vector in the primary. */
  readonly expected: number
  /** Records in the semantic store. */
  readonly found: number
  /** In the primary only; in the follower only; in both, and not as they are in the primary. */
  readonly missing: number
  readonly orphan: number
  readonly stale: number
  /** The first thousand of each, by key. */
  readonly keys: {
    readonly missing: readonly DifferingRecord[]
    readonly orphan: readonly DifferingRecord[]
    readonly stale: readonly DifferingRecord[]
  }
  /** Records that were handed to the follower again. */
  readonly repaired: number
  /** Records that still had to be told, and those that were tried in vain. */
  readonly waiting: number
  readonly parked: number
  /** What the cache has of the ends of conversations; null where there is no cache, or none to be asked. */
  readonly cache: CacheVerifyReport | null
}

export interface CacheVerifyReport {
  /** Conversations that it has. */
  readonly found: number
  /** Not as they are in the primary, although the cache was told of everything. With `repair` they are forgotten. */
  readonly stale: number
}

export interface RebuildOptions {
  /** Embeds everything with another model, dimension or metric. Default: the vectors stay. */
  readonly embedding?: EmbeddingOptions | undefined
  /** Counts what would be done, and does nothing. Default false. */
  readonly dryRun?: boolean | undefined
  /** Deletes the collections that were in use before, and vectors of other spaces. Default false. */
  readonly dropOld?: boolean | undefined
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

export interface RebuildReport {
  /** Records of the primary. */
  readonly records: number
  /** Records whose text has to be embedded, and about how many tokens these are. */
  readonly toEmbed: number
  readonly tokens: number
  /** Vectors in the new collections. */
  readonly vectors: number
  /** Records that the model refused. */
  readonly parked: number
  /** Which of the collections at its place the memory uses now. */
  readonly generation: number
  readonly dropped: boolean
}

/** What an operator asks of a memory of several backends. */
export interface Upkeep {
  followers(): Promise<readonly FollowerStatus[]>
  /** Tries again what was tried in vain. Answers how many records. */
  requeue(follower?: string): Promise<number>
  /** Forgets a store that follows no more. Answers whether there was one. */
  unfollow(follower: string): Promise<boolean>
  verify(options: VerifyOptions): Promise<VerifyReport>
  rebuild(options: RebuildOptions): Promise<RebuildReport>
}
