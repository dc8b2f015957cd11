import type { Capabilities } from './capabilities.js'
import type { EraseTarget, RetentionOptions, RetentionPolicy, RetentionReport } from './erase.js'
import type { Events } from './events.js'
import type { Followed } from './follow.js'
import type { Journal, UnitJournal } from './journal.js'
import type { OperationReceipt } from './memory.js'
import type { Move } from './online.js'
import type { RateLimiter, RateLimiterOptions } from './rate-limit.js'
import type { Repositories } from './repositories.js'
import type { Hit, SearchQuery } from './search.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport, Statistics } from './statistics.js'
import type { OutboxStats } from './telemetry.js'
import type { Transferring } from './transfer.js'
import type { Upkeep } from './upkeep.js'

/** A repository as a backend writes it: `each` is made from `list`, once for all, and `operationId` is handled in front. */
export type Plain<R> = Omit<R, 'each'>

/** A cached value as it is stored: JSON text, and until when. */
export interface CacheEntry {
  readonly text: string
  /** Milliseconds since the epoch by the memory's clock, or infinity. */
  readonly until: number
}

/** A key of a cache, and whose it is. */
export interface CachedKey {
  readonly tenantId: string
  readonly key: string
}

/** A cache in one tenant. What is asked of it has been checked. */
export interface CacheScope {
  /** The text, or null where there is none or its time is over. */
  get(key: string): Promise<string | null>
  /** Sets, or deletes where null is given; all at once. Each change is a new version of its key, a deletion too. */
  apply(changes: ReadonlyMap<string, CacheEntry | null>): Promise<void>
  /** Gives an entry another end. Answers whether there was one. */
  expire(key: string, until: number): Promise<boolean>
  /** The text, and the version that a later `fill` must still find. */
  look(key: string): Promise<{ readonly text: string | null; readonly version: string }>
  /** Sets unless the key has been changed since that version: a slow reader must not put old data back. */
  fill(key: string, version: string, entry: CacheEntry): Promise<boolean>
}

/** What a backend offers inside one tenant. A part that it lacks is absent; callers get `UnsupportedError`. */
export type BackendScope = {
  readonly [K in Exclude<keyof Repositories, 'cache'>]?: Plain<Repositories[K]>
} & {
  /** Without it, the cache is this process's own. */
  readonly cache?: CacheScope
  readonly events?: Events
  rateLimiter?(options: RateLimiterOptions): RateLimiter
  search?(query: SearchQuery): Promise<Hit[]>
  statistics?(options: { readonly userId?: string | undefined }): Promise<Statistics>
  purgeExpired?(options: PurgeOptions): Promise<PurgeReport>
}

/** What a first run of an operation left behind. */
export interface StoredOperation {
  readonly fingerprint: string | null
  /** The encoded result, or null where it was too large or not JSON. */
  readonly result: string | null
  readonly records: OperationReceipt['records']
}

export interface OperationStore {
  /** Inserts the row first, so that concurrent duplicates wait; answers what an earlier run stored, or null. */
  claim(operationId: string, fingerprint: string | null): Promise<StoredOperation | null>
  finish(operationId: string, result: string | null, records: StoredOperation['records']): Promise<void>
}

/** A scope whose writes belong to one unit. Its calls never overlap: the front queues them. */
export type UnitScope = Omit<BackendScope, 'purgeExpired' | 'events' | 'rateLimiter'> & {
  readonly operations?: OperationStore
  readonly journal?: UnitJournal
  /**
   * What the unit's cache writes will change, told before it is committed: a process that dies before it changed them
   * has others forget them. Answers what to call when they are changed, and whether nobody
   * else has changed them meanwhile; null where nobody would forget them.
   */
  cacheKeys?(keys: readonly string[]): Promise<(() => Promise<boolean>) | null>
  /** Runs the work between a savepoint and its release or rollback. */
  savepoint<T>(work: (scope: UnitScope) => Promise<T>): Promise<T>
}

/** A store. Created closed; `open` may be called again after it failed. */
export interface Backend {
  readonly name: string
  readonly capabilities: Capabilities
  /** With it, the store can stand in for another one. Asked for when it is open. */
  readonly journal?: Journal | undefined
  /** With it, other stores can follow this one. Asked for when it is open. */
  readonly followed?: Followed | undefined
  /** With it, everything can be moved from and to this store. Asked for when it is open. */
  readonly transferring?: Transferring | undefined
  /** How far its move to another store is; null where it is not being moved. */
  moving?(): Promise<Move | null>
  /** Where a subject is erased from: this store, and those that follow it. Asked for when it is open. */
  readonly erasing?: readonly EraseTarget[] | undefined
  open(): Promise<void>
  /** Called once, when nothing is in flight. */
  close(): Promise<void>
  /** Whether the store answers now. */
  ping(): Promise<boolean>
  scope(tenantId: string): BackendScope
  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T>
  sweep?(options: PurgeOptions): Promise<PurgeReport>
  /** What is cached for all tenants, in pages, where the backend is a cache. */
  cachedKeys?(): AsyncIterable<readonly CachedKey[]>
  /** Removes what a policy does not keep. Its arguments have been checked. */
  retain?(policy: RetentionPolicy, options: RetentionOptions): Promise<RetentionReport>
  /** What an operator asks of a memory of several backends. Asked for when it is open. */
  readonly upkeep?: Upkeep | undefined
  /** Waits until what a tenant has written is known everywhere; TimeoutError after `deadline` milliseconds. */
  fresh?(tenantId: string, deadline?: number): Promise<void>
  /** Waits until what follows the records is up with them. */
  settle?(options: SettleOptions): Promise<SettleReport>
  /** What those that follow it still have to be told. Asked for when it is open. */
  readonly outbox?: OutboxStats | undefined
}
