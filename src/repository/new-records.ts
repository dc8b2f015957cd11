import type { CheckedConversation, CheckedMemory, CheckedMessage, CheckedSession, CheckedUser } from '../model/check.js'
import type { Conversation, JsonObject, MemoryEntry, Message, Session, User } from '../model/records.js'

/** Where and when a record is made. */
export interface Making {
  readonly tenantId: string
  readonly clock: () => number
  readonly newId: () => string
}

const EMPTY: JsonObject = Object.freeze({}) as JsonObject

/** A user of whom nothing is known yet. */
export function unknownUser({ tenantId, clock }: Pick<Making, 'tenantId' | 'clock'>, id: string): User {
  const at = new Date(clock())
  return {
    tenantId,
    id,
    name: null,
    preferences: EMPTY,
    profile: EMPTY,
    metadata: EMPTY,
    lastActiveAt: null,
    createdAt: at,
    updatedAt: at,
    version: 1,
  }
}

export function newUser(making: Making, input: CheckedUser): User {
  const base = unknownUser(making, input.id ?? making.newId())
  return { ...base, ...input, id: base.id, updatedAt: input.updatedAt ?? input.createdAt ?? base.updatedAt } as User
}

export function newConversation(making: Making, input: CheckedConversation): Conversation {
  const createdAt = input.createdAt ?? new Date(making.clock())
  return {
    tenantId: making.tenantId,
    id: input.id ?? making.newId(),
    userId: input.userId,
    title: input.title ?? null,
    summary: input.summary ?? null,
    tags: input.tags ?? [],
    metadata: input.metadata ?? EMPTY,
    language: input.language ?? null,
    messageCount: 0,
    lastPosition: 0,
    expiresAt: input.expiresAt ?? null,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
  }
}

/** Its position is given when it is stored. */
export function newMessage(making: Making, conversationId: string, input: CheckedMessage): Message {
  const createdAt = input.createdAt ?? new Date(making.clock())
  return {
    tenantId: making.tenantId,
    id: input.id ?? making.newId(),
    conversationId,
    position: 0,
    parentId: input.parentId ?? null,
    role: input.role,
    type: input.type ?? 'text',
    content: input.content ?? '',
    parts: input.parts ?? null,
    name: input.name ?? null,
    toolCallId: input.toolCallId ?? null,
    status: input.status ?? 'complete',
    metadata: input.metadata ?? EMPTY,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
  }
}

export function newSession(making: Making, input: CheckedSession): Session {
  const at = new Date(making.clock())
  const startedAt = input.startedAt ?? at
  const createdAt = input.createdAt ?? at
  return {
    tenantId: making.tenantId,
    id: input.id ?? making.newId(),
    userId: input.userId,
    conversationId: input.conversationId ?? null,
    state: input.state ?? EMPTY,
    metadata: input.metadata ?? EMPTY,
    startedAt,
    lastActivityAt: startedAt,
    endedAt: null,
    expiresAt: input.expiresAt ?? null,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
  }
}

export function newMemory(making: Making, input: CheckedMemory): MemoryEntry {
  const createdAt = input.createdAt ?? new Date(making.clock())
  return {
    tenantId: making.tenantId,
    id: input.id ?? making.newId(),
    userId: input.userId,
    conversationId: input.conversationId ?? null,
    type: input.type ?? 'long_term',
    content: input.content,
    source: input.source ?? null,
    category: input.category ?? null,
    tags: input.tags ?? [],
    confidence: input.confidence ?? 1,
    importance: input.importance ?? 0.5,
    accessCount: input.accessCount ?? 0,
    relatedIds: input.relatedIds ?? [],
    metadata: input.metadata ?? EMPTY,
    lastAccessedAt: input.lastAccessedAt ?? null,
    expiresAt: input.expiresAt ?? null,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
  }
}
