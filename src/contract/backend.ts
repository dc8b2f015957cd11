import type { Capabilities } from './capabilities.js'
import type { OperationReceipt } from './memory.js'
import type { CacheRepository, Repositories } from './repositories.js'
import type { Hit, SearchQuery } from './search.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport, Statistics } from './statistics.js'

/** A repository as a backend writes it: `each` is made from `list`, once for all, and `operationId` is handled in front. */
export type Plain<R> = Omit<R, 'each'>

/** What a backend offers inside one tenant. A part that it lacks is absent; callers get `UnsupportedError`. */
export type BackendScope = {
  readonly [K in Exclude<keyof Repositories, 'cache'>]?: Plain<Repositories[K]>
} & {
  readonly cache?: CacheRepository
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
export type UnitScope = Omit<BackendScope, 'purgeExpired'> & {
  readonly operations?: OperationStore
  /** Runs the work between a savepoint and its release or rollback. */
  savepoint<T>(work: (scope: UnitScope) => Promise<T>): Promise<T>
}

/** A store. Created closed; `open` may be called again after it failed. */
export interface Backend {
  readonly name: string
  readonly capabilities: Capabilities
  open(): Promise<void>
  /** Called once, when nothing is in flight. */
  close(): Promise<void>
  /** Whether the store answers now. */
  ping(): Promise<boolean>
  scope(tenantId: string): BackendScope
  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T>
  sweep?(options: PurgeOptions): Promise<PurgeReport>
  /** Waits until what follows the records is up with them. */
  settle?(options: SettleOptions): Promise<SettleReport>
}
