import type {
  ConversationPatch,
  MemoryPatch,
  MessagePatch,
  NewConversation,
  NewDocument,
  NewMemory,
  NewMessage,
  NewSession,
  NewUser,
  SessionPatch,
  UserPatch,
} from '../model/inputs.js'
import type { Conversation, Document, JsonValue, MemoryEntry, Message, Role, Session, User } from '../model/records.js'
import type { Filter } from './filter.js'
import type { Page, PageOptions } from './page.js'

/** Options of every verb that writes. */
export interface WriteOptions {
  /**
   * Makes the call idempotent for seven days: a known id does not run again and answers what the first run answered.
   * The same id with other arguments is a `ConflictError`.
   */
  readonly operationId?: string | undefined
}

export interface UpdateOptions extends WriteOptions {
  /** Write only if the record still has this version; `ConflictError` otherwise. */
  readonly version?: number | undefined
}

export interface ReadOptions {
  /** Also answer records whose `expiresAt` has passed and that are not purged yet. */
  readonly includeExpired?: boolean | undefined
}

/** Ordered by id, bytewise. */
export interface UserRepository {
  /** `ConflictError` where the id exists. */
  create(user: NewUser, options?: WriteOptions): Promise<User>
  get(id: string): Promise<User | null>
  update(id: string, patch: UserPatch, options?: UpdateOptions): Promise<User>
  /** Deletes the user with all conversations, messages, sessions and memories. */
  delete(id: string, options?: WriteOptions): Promise<void>
  list(options?: PageOptions): Promise<Page<User>>
  each(): AsyncIterable<User>
}

export interface ConversationListOptions extends PageOptions, ReadOptions {
  readonly userId?: string | undefined
}

/** Ordered newest first, by (createdAt, id). */
export interface ConversationRepository {
  create(conversation: NewConversation, options?: WriteOptions): Promise<Conversation>
  get(id: string, options?: ReadOptions): Promise<Conversation | null>
  update(id: string, patch: ConversationPatch, options?: UpdateOptions): Promise<Conversation>
  /** Deletes it with its messages; sessions and memories that name it stay and name none. */
  delete(id: string, options?: WriteOptions): Promise<void>
  list(options?: ConversationListOptions): Promise<Page<Conversation>>
  each(options?: Omit<ConversationListOptions, keyof PageOptions>): AsyncIterable<Conversation>
}

export interface AppendOptions extends WriteOptions {
  /** Makes the user and the conversation if absent. Another user's conversation is `NotFoundError`. */
  readonly userId?: string | undefined
}

export interface MessageListOptions extends PageOptions, ReadOptions {
  /** The newest n. The default: `last: 50`. */
  readonly last?: number | undefined
  /** The oldest n. */
  readonly first?: number | undefined
  readonly roles?: readonly Role[] | undefined
}

export interface ClearOptions extends WriteOptions {
  /** Default true. */
  readonly keepSystem?: boolean | undefined
  /** Only messages in front of this: a cursor of `list`, or an instant compared with `createdAt`. */
  readonly before?: string | Date | undefined
}

export interface BranchOptions extends WriteOptions {
  readonly id?: string | undefined
  readonly title?: string | null | undefined
}

/** Chronological, by position. A conversation that does not exist has no messages. */
export interface MessageRepository {
  /**
   * All or nothing. An id that exists is `ConflictError`, an unknown conversation without `userId` `NotFoundError`; a
   * bad message is named by its index. Answers the messages as stored.
   */
  append(
    conversationId: string,
    messages: NewMessage | readonly NewMessage[],
    options?: AppendOptions,
  ): Promise<Message[]>
  /** Like `append`, but a message whose id exists is replaced in its place: its position and createdAt stay. */
  upsert(
    conversationId: string,
    messages: NewMessage | readonly NewMessage[],
    options?: AppendOptions,
  ): Promise<Message[]>
  get(conversationId: string, id: string, options?: ReadOptions): Promise<Message | null>
  list(conversationId: string, options?: MessageListOptions): Promise<Page<Message>>
  each(conversationId: string, options?: Pick<MessageListOptions, 'roles' | 'includeExpired'>): AsyncIterable<Message>
  update(conversationId: string, id: string, patch: MessagePatch, options?: UpdateOptions): Promise<Message>
  /** Replies to it stay, with `parentId` null. */
  delete(conversationId: string, id: string, options?: WriteOptions): Promise<void>
  /** Answers how many it deleted. Positions are not given again. */
  clear(conversationId: string, options?: ClearOptions): Promise<number>
  /** A new conversation with everything up to and including that message; ids, times and parents are kept. */
  branch(conversationId: string, messageId: string, options?: BranchOptions): Promise<Conversation>
  /** User messages that an assistant's message follows, other roles between them passed over. */
  turnCount(conversationId: string): Promise<number>
}

export interface SessionListOptions extends PageOptions, ReadOptions {
  readonly userId?: string | undefined
  /** Only sessions that have neither ended nor expired. */
  readonly active?: boolean | undefined
}

/** Ordered latest first, by (startedAt, id). Never answered from a cache where there is an SQL primary. */
export interface SessionRepository {
  create(session: NewSession, options?: WriteOptions): Promise<Session>
  get(id: string, options?: ReadOptions): Promise<Session | null>
  /** Moves `lastActivityAt`. */
  update(id: string, patch: SessionPatch, options?: UpdateOptions): Promise<Session>
  /** Moves `lastActivityAt` alone; the version stays. */
  touch(id: string): Promise<Session>
  /** A session that has ended stays as it ended. */
  end(id: string, options?: WriteOptions): Promise<Session>
  delete(id: string, options?: WriteOptions): Promise<void>
  /** The latest active session of the user, or null. */
  latest(userId: string): Promise<Session | null>
  list(options?: SessionListOptions): Promise<Page<Session>>
  each(options?: Omit<SessionListOptions, keyof PageOptions>): AsyncIterable<Session>
}

export type MemoryFilter = Omit<Filter, 'namespace' | 'roles'>
export interface MemoryListOptions extends PageOptions, MemoryFilter {}
export interface RecallQuery extends MemoryFilter {
  readonly text?: string | undefined
  /** 1 to 1,000, default 10. */
  readonly limit?: number | undefined
}

/** Ordered by importance, then newest: (importance, createdAt, id), descending. */
export interface MemoryRepository {
  add(memory: NewMemory, options?: WriteOptions): Promise<MemoryEntry>
  /** All or nothing; a bad one is named by its index. */
  addMany(memories: readonly NewMemory[], options?: WriteOptions): Promise<MemoryEntry[]>
  get(id: string, options?: ReadOptions): Promise<MemoryEntry | null>
  update(id: string, patch: MemoryPatch, options?: UpdateOptions): Promise<MemoryEntry>
  delete(id: string, options?: WriteOptions): Promise<void>
  list(options?: MemoryListOptions): Promise<Page<MemoryEntry>>
  each(options?: MemoryFilter): AsyncIterable<MemoryEntry>
  /** Finds and counts as use: raises `accessCount` and `lastAccessedAt` of what it answers, in one write. */
  recall(query: RecallQuery): Promise<MemoryEntry[]>
}

/** Ordered by id, bytewise, within a namespace. */
export interface DocumentRepository {
  /** Replaces content, metadata and expiry together. All or nothing. */
  upsert(documents: NewDocument | readonly NewDocument[], options?: WriteOptions): Promise<Document[]>
  get(namespace: string, id: string, options?: ReadOptions): Promise<Document | null>
  delete(namespace: string, id: string, options?: WriteOptions): Promise<void>
  /** Answers how many it deleted. Runs in batches: not one unit, except inside one. */
  deleteNamespace(namespace: string): Promise<number>
  list(namespace: string, options?: PageOptions & ReadOptions): Promise<Page<Document>>
  each(namespace: string, options?: ReadOptions): AsyncIterable<Document>
  /** Names in bytewise order. */
  namespaces(options?: PageOptions): Promise<Page<string>>
}

export interface CacheSetOptions {
  /** Seconds until it expires. Default: the cache's own. */
  readonly ttl?: number | undefined
}

/** Values are JSON. Inside a unit, writes take effect after its commit. */
export interface CacheRepository {
  get<T extends JsonValue = JsonValue>(key: string): Promise<T | null>
  set(key: string, value: JsonValue, options?: CacheSetOptions): Promise<void>
  delete(key: string): Promise<void>
  /** Gives an entry another life, in seconds from now. Answers whether there was one. */
  expire(key: string, ttl: number): Promise<boolean>
  /**
   * The cached value; otherwise what `load` answers, which is then cached. Of concurrent callers in this process one
   * loads. What was loaded is not cached if the key was set or deleted meanwhile. Inside a unit nothing is cached.
   */
  getOrLoad<T extends JsonValue = JsonValue>(key: string, load: () => Promise<T>, options?: CacheSetOptions): Promise<T>
}

export interface Repositories {
  readonly users: UserRepository
  readonly conversations: ConversationRepository
  readonly messages: MessageRepository
  readonly sessions: SessionRepository
  readonly memories: MemoryRepository
  readonly documents: DocumentRepository
  readonly cache: CacheRepository
}
