import type { JsonObject, JsonValue } from '../../schema/tables.js'

export type { JsonObject, JsonValue }

export const ROLES = ['system', 'user', 'assistant', 'tool', 'function'] as const
export const MESSAGE_TYPES = ['text', 'audio', 'image', 'file', 'command', 'action'] as const
export const MESSAGE_STATUSES = ['complete', 'draft', 'aborted'] as const
export const MEMORY_TYPES = ['short_term', 'long_term', 'episodic', 'semantic', 'procedural', 'fact'] as const
export const RECORD_KINDS = ['user', 'conversation', 'message', 'session', 'memory', 'document'] as const
export const SEARCH_KINDS = ['message', 'memory', 'document'] as const

export type Role = (typeof ROLES)[number]
export type MessageType = (typeof MESSAGE_TYPES)[number]
export type MessageStatus = (typeof MESSAGE_STATUSES)[number]
export type MemoryType = (typeof MEMORY_TYPES)[number]
export type RecordKind = (typeof RECORD_KINDS)[number]
export type SearchKind = (typeof SEARCH_KINDS)[number]

/** What every record carries. Instants are UTC with millisecond precision. */
export interface Stamped {
  readonly tenantId: string
  readonly createdAt: Date
  readonly updatedAt: Date
  /** Starts at 1 and counts the record's updates; hand it to `update` to write only over what was read. */
  readonly version: number
}

export interface User extends Stamped {
  readonly id: string
  readonly name: string | null
  readonly preferences: JsonObject
  readonly profile: JsonObject
  readonly metadata: JsonObject
  readonly lastActiveAt: Date | null
}

export interface Conversation extends Stamped {
  readonly id: string
  readonly userId: string
  readonly title: string | null
  readonly summary: string | null
  readonly tags: readonly string[]
  readonly metadata: JsonObject
  /** Of its messages, such as `german`; null means the memory's own. */
  readonly language: string | null
  /** Messages it holds now. */
  readonly messageCount: number
  /** The highest position ever given in it; never lowered. */
  readonly lastPosition: number
  readonly expiresAt: Date | null
}

export interface Message extends Stamped {
  /** Unique within its conversation. */
  readonly id: string
  readonly conversationId: string
  /** Strictly increasing within the conversation: the order, whatever the clock said. */
  readonly position: number
  readonly parentId: string | null
  readonly role: Role
  readonly type: MessageType
  /** The searchable text, exactly as given. */
  readonly content: string
  /** Tool calls, files, reasoning: whatever stands beside the text. */
  readonly parts: readonly JsonValue[] | null
  readonly name: string | null
  readonly toolCallId: string | null
  readonly status: MessageStatus
  readonly metadata: JsonObject
}

export interface Session extends Stamped {
  readonly id: string
  readonly userId: string
  readonly conversationId: string | null
  readonly state: JsonObject
  readonly metadata: JsonObject
  readonly startedAt: Date
  readonly lastActivityAt: Date
  readonly endedAt: Date | null
  readonly expiresAt: Date | null
}

export interface MemoryEntry extends Stamped {
  readonly id: string
  readonly userId: string
  /** Where it was learned. Becomes null when that conversation is deleted; the memory stays. */
  readonly conversationId: string | null
  readonly type: MemoryType
  readonly content: string
  readonly source: string | null
  readonly category: string | null
  readonly tags: readonly string[]
  /** 0 to 1. */
  readonly confidence: number
  /** 0 to 1. */
  readonly importance: number
  readonly accessCount: number
  readonly relatedIds: readonly string[]
  readonly metadata: JsonObject
  readonly lastAccessedAt: Date | null
  readonly expiresAt: Date | null
}

/** A chunk of text for retrieval, by namespace. */
export interface Document extends Stamped {
  readonly namespace: string
  readonly id: string
  readonly content: string
  readonly metadata: JsonObject
  readonly expiresAt: Date | null
}
