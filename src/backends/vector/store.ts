import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { MetadataCondition } from '../../contract/filter.js'
import type { JsonObject, SearchKind } from '../../model/records.js'
import type { TransferEngine } from './transfer-engine.js'

/** By what points are found and ordered. Beside these a record is nobody's business but the repositories'. */
export interface PointFields {
  /** The record's own id. */
  readonly id: string
  /** Of a message, the user whose conversation it is in. */
  readonly user: string | null
  readonly conversation: string | null
  /** Of a message, the one that it replies to. */
  readonly parent: string | null
  readonly namespace: string | null
  readonly role: string | null
  readonly type: string | null
  readonly category: string | null
  readonly tags: readonly string[]
  /** 0 to 1. */
  readonly importance: number | null
  /** 0 to 1. */
  readonly confidence: number | null
  /** Milliseconds since the epoch, which may be negative. */
  readonly created: number
  /** Milliseconds since the epoch. */
  readonly expires: number | null
  readonly position: number | null
  readonly metadata: JsonObject
}

/** One record in a vector store, without its vector. */
export interface Point {
  /** A UUID made of tenant, kind, namespace or conversation, and id; see `keyOf`. */
  readonly key: string
  readonly fields: PointFields
  readonly content: string
  /** JSON of everything in the record but its content: what a read answers is made of these two alone. */
  readonly rest: string
  /** Of the write that made it, a safe integer of at least 1. Drawn at random, or the primary's where the store follows one. */
  readonly revision: number
  /**
   * Revisions that the point has had before, the newest first, a few. By them a store whose engine does not say whether a
   * guarded write took effect knows one that was written over since. Other stores need not keep them.
   */
  readonly earlier: readonly number[]
  /** SHA-256 in hex of the text that was embedded; empty where the record brought its vector; null where there is none. */
  readonly hash: string | null
}

/** Whether a write takes effect, decided by the store in the write itself where it can. */
export type Guard =
  /** Whatever is there. */
  | null
  /** Nothing must be there. */
  | 'absent'
  /** What is there must be of this revision. */
  | { readonly revision: number }

export interface PointWrite {
  readonly point: Point
  /** Ready for the index; `keep` leaves the one that is stored, null stores the point without one. */
  readonly vector: Float32Array | null | 'keep'
  readonly guard: Guard
}

/** What a store that follows a primary is told of one record; its revisions are the primary's. */
export type FollowWrite =
  /** Written, unless what is there is of a higher revision. */
  | { readonly point: Point; readonly vector: Float32Array }
  /** Deleted, unless what is there is of a higher revision; `at` is when it was told, in milliseconds since the epoch. */
  | { readonly gone: { readonly key: string; readonly revision: number; readonly at: number } }

/** A point as it is compared with the primary. */
export interface Entry {
  readonly tenantId: string
  readonly kind: SearchKind
  readonly key: string
  readonly revision: number
  readonly id: string
  /** The conversation of a message, the namespace of a document, empty for a memory. */
  readonly scope: string
  readonly rest: string
}

export type TextField = 'id' | 'user' | 'conversation' | 'parent' | 'namespace' | 'role' | 'type' | 'category' | 'tags'
export type NumberField = 'importance' | 'confidence' | 'created' | 'position'

/** All conditions of a query must hold, and the tenant and the kind outside of them. */
export type Condition =
  /** The field is one of these; `tags` has one of them. */
  | { readonly field: TextField; readonly in: readonly string[] }
  /** False where the field is null. */
  | {
      readonly field: NumberField
      readonly gt?: number | undefined
      readonly gte?: number | undefined
      readonly lt?: number | undefined
      readonly lte?: number | undefined
    }
  /** By a top-level key of the metadata, taken literally. */
  | { readonly metadata: string; readonly is: MetadataCondition }
  /** Has not expired by then. */
  | { readonly alive: number }
  /** Has expired by then. */
  | { readonly expired: number }
  /** Has a vector. */
  | { readonly embedded: true }

export type OrderField = 'importance' | 'created' | 'position'

/** Points in the order of these fields and, where they are equal, of the id's UTF-8 bytes; all in one direction. */
export interface PageQuery {
  readonly kind: SearchKind
  readonly where: readonly Condition[]
  readonly order: readonly OrderField[]
  readonly descending: boolean
  /** Exclusive: where the last page ended, a value for each field of the order. */
  readonly after: { readonly values: readonly number[]; readonly id: string } | null
  readonly limit: number
}

export interface NearestQuery {
  readonly kind: SearchKind
  readonly where: readonly Condition[]
  /** Of length 1 where the metric is `cosine`. */
  readonly vector: Float32Array
  readonly limit: number
  /** Compare with every vector that meets the conditions. */
  readonly exact: boolean
  /** Only which records they are is asked for: of a point nothing but its key, id, scope, rest and revision need be there. */
  readonly identity?: boolean | undefined
}

export interface NearPoint {
  readonly point: Point
  /** `cosine`: 1 - cosine; `dot`: the negative product; `euclidean`: the distance, not squared. */
  readonly distance: number
}

/**
 * One tenant's points. A store may answer points that do not meet a condition on `metadata`, `alive` or `embedded` where
 * its engine cannot decide it: whoever asks looks again. It never leaves out one that meets them all, and never answers
 * another tenant's or kind's. Every call may be repeated by the store: writes carry what a repetition is known by.
 */
export interface VectorScope {
  /** What is there of these keys, in no order. */
  fetch(kind: SearchKind, keys: readonly string[]): Promise<Point[]>
  /** Each point whole or not at all; not all of them together. Answers the keys that their guard refused. */
  write(kind: SearchKind, writes: readonly PointWrite[]): Promise<ReadonlySet<string>>
  /**
   * Keys that are not there are passed over.
   *
   * @param where What a point must still meet to be removed, decided by the store in the deletion itself.
   */
  remove(kind: SearchKind, keys: readonly string[], where?: readonly Condition[]): Promise<void>
  page(query: PageQuery): Promise<Point[]>
  /** Nearest first. */
  nearest(query: NearestQuery): Promise<NearPoint[]>
  /** How many points meet the conditions, none of them on `metadata`: a store decides all others here. */
  count(kind: SearchKind, where: readonly Condition[]): Promise<number>
  /** The different values of a field among what meets the conditions, decided as in `count`; in no order. */
  distinct(kind: SearchKind, field: 'namespace', where: readonly Condition[]): Promise<string[]>
}

/** What a space is before its model has answered. */
export type WantedSpace = Omit<EmbeddingSpace, 'dimensions'> & { readonly dimensions: number | null }

/** One tenant's points, where they follow a primary. */
export interface FollowScope extends VectorScope {
  /**
   * Tells of records as they are now. Of each the highest revision wins, in whatever order and however often they are
   * told, so that a late write brings back nothing that was deleted. Each point whole or not at all.
   */
  follow(kind: SearchKind, writes: readonly FollowWrite[]): Promise<void>
}

/** An engine that keeps points. */
export interface VectorStore {
  /**
   * Connects, finds the collection or makes it, and answers the space that its vectors are of.
   *
   * @param dimensions Asks the model how many dimensions it has; called where neither `space` nor the store tells.
   * @throws ConfigurationError where the collection is of another space, or was not made by this library.
   */
  open(space: WantedSpace, dimensions: () => Promise<number>): Promise<EmbeddingSpace>
  /**
   * Connects to what is there, and makes and changes nothing: to read it, whatever model it is of.
   *
   * @throws ConfigurationError where there is no collection, or it was not made by this library.
   */
  openAsIs(): Promise<EmbeddingSpace>
  tenant(tenantId: string): FollowScope
  /** Whether `follow` is decided by the engine, so that several processes may write at once. */
  readonly followsSideBySide: boolean
  /**
   * Everything that is stored, of one tenant or all, in pages. What is there throughout is told once; what comes or goes
   * meanwhile may be told or not.
   */
  entries(options?: { readonly tenantId?: string | undefined }): AsyncIterable<readonly Entry[]>
  /** Everything that is stored as it is moved to and from other stores. */
  transfer(): TransferEngine
  /** Forgets which records were deleted before that instant, in milliseconds since the epoch. Answers how many. */
  forgetTombstones(before: number): Promise<number>
  /** Removes everything of a tenant. */
  eraseTenant(tenantId: string): Promise<void>
  /** Removes every collection of this store. */
  drop(): Promise<void>
  /** Tenants that have points which have expired by then. */
  tenantsWithExpired(at: number): AsyncIterable<string>
  /** Whether the server answers now. */
  ping(): Promise<boolean>
  close(): Promise<void>
}
