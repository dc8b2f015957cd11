import type { NewMemory, NewMessage, NewSession } from '../model/inputs.js'
import type { MemoryEntry, Message, Session } from '../model/records.js'
import type { Capabilities } from './capabilities.js'
import type { Context, ContextQuery } from './context.js'
import type {
  EraseOptions,
  EraseReport,
  ErasureSubject,
  RetentionOptions,
  RetentionPolicy,
  RetentionReport,
} from './erase.js'
import type { Events } from './events.js'
import type { RateLimiter, RateLimiterOptions } from './rate-limit.js'
import type { AppendOptions, MessageListOptions, RecallQuery, Repositories } from './repositories.js'
import type { Hit, SearchQuery } from './search.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport, Statistics } from './statistics.js'
import type { FollowerStatus, RebuildOptions, RebuildReport, VerifyOptions, VerifyReport } from './upkeep.js'

export interface UnitOptions {
  /** A known id does not run the callback again; see `WriteOptions`. */
  readonly operationId?: string | undefined
  /** What the operation was asked to do; a known `operationId` with another fingerprint is `ConflictError`. */
  readonly fingerprint?: string | undefined
  /** `await`: answers when the stores that follow the primary have followed. Default: as the memory was made. */
  readonly settle?: 'await' | undefined
}

/** What a repeated operation answers where the first answer was too large (64 KB) or not JSON. */
export interface OperationReceipt {
  readonly operationId: string
  /** Keys of the records that its verbs answered: a message's is [conversation, id], a document's [namespace, id]. */
  readonly records: readonly { readonly kind: string; readonly key: readonly string[] }[]
}

/** The repositories and verbs of one tenant. */
export interface TenantMemory extends Repositories {
  readonly tenantId: string
  /**
   * Runs the callback as one unit: all of its writes, or none. The callback uses the `unit` it is given; a unit used
   * after its callback ended, or the outer memory used inside it, throws. Nested units are savepoints.
   */
  unitOfWork<T>(callback: (unit: UnitOfWork) => Promise<T>): Promise<T>
  unitOfWork<T>(
    callback: (unit: UnitOfWork) => Promise<T>,
    options: UnitOptions & { readonly operationId: string },
  ): Promise<T | OperationReceipt>
  unitOfWork<T>(callback: (unit: UnitOfWork) => Promise<T>, options?: UnitOptions): Promise<T | OperationReceipt>
  search(query: SearchQuery): Promise<Hit[]>
  statistics(options?: { readonly userId?: string | undefined }): Promise<Statistics>
  /**
   * What belongs into a prompt, within a number of tokens: the user, the latest active session, pinned system messages,
   * the newest turns whole, and memories and documents that matter. A read: it does not count as use. An unknown user or
   * conversation, and another user's, are `NotFoundError`.
   */
  context(query: ContextQuery): Promise<Context>
  /** What writes tell, where the backend keeps events. */
  readonly events: Events
  /** A limit per key that all processes share, where the backend has one. */
  rateLimiter(options: RateLimiterOptions): RateLimiter
  /** Removes what has expired, in bounded batches. */
  purgeExpired(options?: PurgeOptions): Promise<PurgeReport>

  /** `messages.append`. */
  storeMessage(conversationId: string, message: NewMessage, options?: AppendOptions): Promise<Message>
  /** `messages.list`, its items. */
  retrieveMessages(conversationId: string, options?: MessageListOptions): Promise<readonly Message[]>
  /** `search` over messages. */
  searchMessages(query: Omit<SearchQuery, 'kinds'>): Promise<Hit[]>
  /** `memories.add`. */
  storeMemory(memory: NewMemory): Promise<MemoryEntry>
  /** `memories.recall`. */
  retrieveMemories(query: RecallQuery): Promise<MemoryEntry[]>
  /** `memories.delete`. */
  deleteMemory(id: string): Promise<void>
  /** `sessions.create`. */
  createSession(session: NewSession): Promise<Session>
  /** `sessions.get`. */
  getSession(id: string): Promise<Session | null>
  /** `sessions.end`. */
  endSession(id: string): Promise<Session>
  /** `context`. */
  getContext(query: ContextQuery): Promise<Context>
  /** `messages.clear`. */
  clearHistory(conversationId: string): Promise<number>
  /** `statistics`. */
  getStatistics(options?: { readonly userId?: string | undefined }): Promise<Statistics>
}

/** The same repositories and verbs, inside one unit. */
export interface UnitOfWork extends Repositories {
  readonly tenantId: string
  /** A savepoint: if the callback throws, what it wrote is undone and the outer unit goes on. */
  unitOfWork<T>(callback: (unit: UnitOfWork) => Promise<T>): Promise<T>
  search(query: SearchQuery): Promise<Hit[]>
  statistics(options?: { readonly userId?: string | undefined }): Promise<Statistics>
  /** Sees what the unit wrote. */
  context(query: ContextQuery): Promise<Context>
  /** `context`. */
  getContext(query: ContextQuery): Promise<Context>
}

/** One memory for AI assistants. Without `forTenant`, calls go to the tenant `default`. */
export interface Memory extends TenantMemory, AsyncDisposable {
  /** Opens what is needed; idempotent and shared by concurrent callers. A call before it connects by itself. */
  connect(): Promise<void>
  /** Waits for work in flight. Idempotent; later calls are `ClosedError`. */
  close(): Promise<void>
  /** False before `connect()`, after `close()`, and when the store does not answer. Never throws. */
  healthCheck(): Promise<boolean>
  /** What holds for this memory. `durability` is known once it is connected. */
  readonly capabilities: Capabilities
  forTenant(tenantId: string): TenantMemory
  /** `purgeExpired` for every tenant of the store. */
  sweep(options?: PurgeOptions): Promise<PurgeReport>
  /**
   * Erases a user or a whole tenant from every store of this memory, looks whether anything is left, and removes what
   * deletion leaves in files. An unknown user is erased too: what is found of them is 0. Ended half-way, the same call
   * goes on. The report says what was found, removed and left, and where copies only age out.
   */
  erase(subject: ErasureSubject, options?: EraseOptions): Promise<EraseReport>
  /** Removes what a policy does not keep, in one tenant or all, in bounded batches. */
  retain(policy: RetentionPolicy, options?: RetentionOptions): Promise<RetentionReport>
  /**
   * Waits until what is made after a write is up with it: the vectors of new and changed records. It goes on in the
   * background by itself; this is for those who want to search for what they just wrote.
   */
  settle(options?: SettleOptions): Promise<SettleReport>
  /** The stores that follow the primary, and what they still have to be told. */
  followers(): Promise<readonly FollowerStatus[]>
  /**
   * Tries again what a follower refused so often that it was left alone. Answers how many records.
   *
   * @param follower Its name, `semantic` or `cache`. Default: all of them.
   */
  requeue(follower?: string): Promise<number>
  /** Feeds a follower no more; what it holds stays there. Answers whether there was one. */
  unfollow(follower: string): Promise<boolean>
  /** Compares the semantic store with the primary, while both are in use, and hands it what differs if `repair` is set. */
  verify(options?: VerifyOptions): Promise<VerifyReport>
  /**
   * Builds the semantic store anew beside the one in use, verifies it, and puts it to use. With `embedding`, by another
   * model: the memory must then be opened with that.
   */
  rebuild(options?: RebuildOptions): Promise<RebuildReport>
}
