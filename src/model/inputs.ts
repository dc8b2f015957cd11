import type { JsonObject, JsonValue, MemoryType, MessageStatus, MessageType, Role } from './records.js'

/** A record that is being made may bring its own times: imports and transfers keep them. Default: now. */
/** A record that brings its own vector: kept bit for bit as 32-bit numbers, until its text changes. */
export interface WithVector {
  readonly vector?: ArrayLike<number> | undefined
}

export interface NewTimes {
  readonly createdAt?: Date | undefined
  readonly updatedAt?: Date | undefined
}

export interface NewUser extends NewTimes {
  readonly id?: string | undefined
  readonly name?: string | null | undefined
  readonly preferences?: JsonObject | undefined
  readonly profile?: JsonObject | undefined
  readonly metadata?: JsonObject | undefined
  readonly lastActiveAt?: Date | null | undefined
}
/** `preferences`, `profile` and `metadata` are merged one level deep; a key with the value null is set to null. */
export type UserPatch = Omit<NewUser, 'id' | keyof NewTimes>

export interface NewConversation extends NewTimes {
  readonly id?: string | undefined
  /** The user is made if absent. */
  readonly userId: string
  readonly title?: string | null | undefined
  readonly summary?: string | null | undefined
  readonly tags?: readonly string[] | undefined
  readonly metadata?: JsonObject | undefined
  /** Of its messages, such as `german`: how their words are stemmed for searches. Default: the memory's own. */
  readonly language?: string | null | undefined
  readonly expiresAt?: Date | null | undefined
}
export type ConversationPatch = Omit<NewConversation, 'id' | 'userId' | keyof NewTimes>

export interface NewMessage extends NewTimes, WithVector {
  readonly id?: string | undefined
  readonly parentId?: string | null | undefined
  readonly role: Role
  readonly type?: MessageType | undefined
  /** May be blank only where `parts` stand. */
  readonly content?: string | undefined
  readonly parts?: readonly JsonValue[] | null | undefined
  readonly name?: string | null | undefined
  readonly toolCallId?: string | null | undefined
  readonly status?: MessageStatus | undefined
  readonly metadata?: JsonObject | undefined
}
export type MessagePatch = Omit<NewMessage, 'id' | 'parentId' | 'role' | 'vector' | keyof NewTimes>

export interface NewSession extends NewTimes {
  readonly id?: string | undefined
  /** The user is made if absent. */
  readonly userId: string
  readonly conversationId?: string | null | undefined
  readonly state?: JsonObject | undefined
  readonly metadata?: JsonObject | undefined
  readonly startedAt?: Date | undefined
  readonly expiresAt?: Date | null | undefined
}
/** `state` and `metadata` are merged one level deep. */
export type SessionPatch = Omit<NewSession, 'id' | 'userId' | 'startedAt' | keyof NewTimes>

export interface NewMemory extends NewTimes, WithVector {
  readonly id?: string | undefined
  /** The user is made if absent. */
  readonly userId: string
  readonly conversationId?: string | null | undefined
  /** Default `long_term`. */
  readonly type?: MemoryType | undefined
  readonly content: string
  readonly source?: string | null | undefined
  readonly category?: string | null | undefined
  readonly tags?: readonly string[] | undefined
  /** 0 to 1, default 1. */
  readonly confidence?: number | undefined
  /** 0 to 1, default 0.5. */
  readonly importance?: number | undefined
  readonly relatedIds?: readonly string[] | undefined
  readonly metadata?: JsonObject | undefined
  readonly expiresAt?: Date | null | undefined
  readonly accessCount?: number | undefined
  readonly lastAccessedAt?: Date | null | undefined
}
export type MemoryPatch = Partial<
  Omit<NewMemory, 'id' | 'userId' | 'vector' | 'accessCount' | 'lastAccessedAt' | keyof NewTimes>
>

export interface NewDocument extends NewTimes, WithVector {
  readonly namespace: string
  readonly id: string
  readonly content: string
  readonly metadata?: JsonObject | undefined
  readonly expiresAt?: Date | null | undefined
}
