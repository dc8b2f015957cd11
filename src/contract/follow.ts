import type { Document, MemoryEntry, Message, SearchKind } from '../model/records.js'
import type { EmbeddingSpace, VectorSettings } from './embedder.js'
import type { Filter } from './filter.js'
import type { SettleOptions, SettleReport } from './statistics.js'

/** A record that has a vector, as it is in the primary now. */
export interface FollowedRecord {
  readonly kind: SearchKind
  readonly tenantId: string
  /** The conversation of a message, the namespace of a document, empty for a memory. */
  readonly scope: string
  readonly id: string
  /** The record's row in the primary. */
  readonly seq: number
  readonly revision: number
  readonly record: Message | MemoryEntry | Document
  /** Of a message, whose conversation it is in. */
  readonly holder: string | null
  readonly vector: Float32Array
  /** SHA-256 of the text that the vector was made of; empty where it came with the record. */
  readonly hash: Buffer
}

/** A record that the follower must not have: it is gone, or has no vector. */
export interface GoneRecord {
  readonly kind: SearchKind
  readonly tenantId: string
  readonly scope: string
  readonly id: string
  readonly revision: number
  readonly vector: null
}

export type FollowedState = FollowedRecord | GoneRecord

/** What a follower still has to be told: which record changed, never how. */
export interface OutboxEntry {
  readonly tenantId: string
  readonly kind: string
  readonly scope: string
  readonly recordId: string
  readonly revision: number
  readonly attempts: number
}

/** A vector that a semantic store found near, before its record is read. */
export interface NearVector {
  readonly id: string
  readonly scope: string
  readonly seq: number
  /** `cosine`: 1 - cosine; `dot`: the negative product; `euclidean`: the distance, not squared. */
  readonly distance: number
}

export interface NearQuestion {
  readonly filter: Filter
  readonly vector: Float32Array
  readonly limit: number
  readonly exact: boolean
  /** Milliseconds since the epoch: what has expired by then is not wanted. */
  readonly now: number
}

/** The part of a search that a semantic store answers, in the primary's place. */
export interface SemanticSearch {
  nearest(tenantId: string, kind: SearchKind, question: NearQuestion): Promise<readonly NearVector[]>
}

/** Who is told of what changed. */
export type FollowerKind = 'semantic' | 'cache'

/** A follower as this process knows it. */
export interface FollowerPlan {
  readonly name: string
  readonly kind: FollowerKind
  /** Record kinds that it is told of; caches are told of `conversation` too. */
  readonly kinds: readonly string[]
  /** Where it is, without secrets: another place is another follower, which is told of everything. */
  readonly place: string
}

/** A follower as the primary has it on record. */
export interface FollowerRecord {
  readonly name: string
  readonly kind: string
  readonly state: string
  readonly place: string
  /** Which of the collections at this place it is; counts up when it is built anew beside the one in use. */
  readonly generation: number
  /** Another one with each place that the follower has had. */
  readonly epoch: number
  /** Built beside the one in use, which it will replace. */
  readonly building: boolean
}

/** What a semantic store is told, by the settler. */
export interface SemanticTarget {
  /** False: one process at a time, which holds the follower's lease. */
  readonly sideBySide: boolean
  /** Milliseconds that one call may take. */
  readonly callTimeout: number
  /** Looks whether it is still the one in use; called before each batch and at each look for one. */
  attend?(): Promise<void>
  /** Idempotent, in any order: of each record the highest revision wins. */
  bring(states: readonly FollowedState[]): Promise<void>
  /** Forgets what it remembers of records that were gone by then. */
  forget(before: number): Promise<void>
}

/** What a cache is told: what it has of these records is no longer true. */
export interface CacheTarget {
  invalidate(entries: readonly OutboxEntry[]): Promise<void>
}

/** One batch of what has to be brought up, and how much of it is left. */
export interface FollowerSettling {
  pass(): Promise<number>
  report(): Promise<SettleReport>
  /** Lets another process go on at once. */
  release(): Promise<void>
}

/** Of one follower. */
export interface OutboxDepth {
  readonly follower: string
  /** Entries that wait for their turn, or for another attempt. */
  readonly depth: number
  /** Milliseconds since the oldest of them was written; 0 where there is none. */
  readonly oldestAge: number
  readonly parked: number
}

/** What a verification compares: a record's key and revision as the primary has them. */
export interface ExpectedEntry {
  readonly kind: SearchKind
  readonly tenantId: string
  readonly scope: string
  readonly id: string
  readonly seq: number
  readonly revision: number
}

/** A primary that others can follow. Asked for when it is open. */
export interface Followed {
  /** The space of the vectors; null before a model has answered. */
  readonly space: EmbeddingSpace | null
  followers(): Promise<readonly FollowerRecord[]>
  /**
   * Puts a follower on record, so that every process feeds it from now on, and hands it what is there already. One that
   * is on record at the same place is left as it is.
   */
  follow(plan: FollowerPlan): Promise<FollowerRecord>
  /**
   * Puts the next generation of a follower on record, beside the one in use, and hands it what is there. One that is on
   * record already goes on.
   */
  build(current: FollowerRecord): Promise<FollowerRecord>
  /** In one transaction: what was built is in use from now on, its space is the active one, and the old one is gone. */
  promote(built: FollowerRecord, current: FollowerRecord): Promise<void>
  /** The same records with vectors of another space, which are made beside those in use. */
  beside(vectors: VectorSettings): Promise<Followed>
  /** How many records there are, and how much of their text has no vector yet. */
  estimate(): Promise<{ readonly records: number; readonly toEmbed: number; readonly characters: number }>
  /** Deletes the vectors of all spaces but this one. */
  dropOtherVectors(): Promise<void>
  /** Takes a follower off the record, with what it still had to be told. Answers whether there was one. */
  unfollow(name: string): Promise<boolean>
  semantic(follower: FollowerRecord, target: SemanticTarget): FollowerSettling
  cache(follower: FollowerRecord, target: CacheTarget): FollowerSettling
  /** Tries again what was tried in vain. Answers how many entries. */
  requeue(name: string): Promise<number>
  /** Per follower. */
  depths(): Promise<readonly OutboxDepth[]>
  /** When the oldest of what a follower still has to be told was written, and the primary's time now. */
  pendingSince(follower: string): Promise<{ readonly oldest: number | null; readonly now: number }>
  /** How many entries of one tenant wait, those that are parked left out. */
  waiting(tenantId: string, follower: string): Promise<number>
  /** The records that have a vector, by row, in pages; of one tenant or all. */
  expected(options: {
    readonly kind: SearchKind
    readonly after: number
    readonly limit: number
    readonly tenantId?: string | undefined
  }): Promise<readonly ExpectedEntry[]>
  /** The same of some records by key, and whether the follower still has to be told of them. */
  lookUp(
    follower: string,
    keys: readonly Pick<ExpectedEntry, 'kind' | 'tenantId' | 'scope' | 'id'>[],
  ): Promise<readonly { readonly revision: number | null; readonly seq: number | null; readonly waits: boolean }[]>
  /** Hands a follower some records again, whatever they are now. */
  enqueue(follower: string, keys: readonly Pick<ExpectedEntry, 'kind' | 'tenantId' | 'scope' | 'id'>[]): Promise<void>
  /** Sees to it that revisions drawn from now on are higher. */
  raiseRevision(above: number): Promise<void>
}

export type { SettleOptions }
