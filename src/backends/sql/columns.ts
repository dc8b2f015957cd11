import type { SearchedTable, Tables } from './engine.js'

/** The columns that make up each record, in the record's order: no `seq`, no `revision`, no `searchText`. */
export const userColumns = ({ users: t }: Tables) => ({
  tenantId: t.tenantId,
  id: t.id,
  name: t.name,
  preferences: t.preferences,
  profile: t.profile,
  metadata: t.metadata,
  lastActiveAt: t.lastActiveAt,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
})

export const conversationColumns = ({ conversations: t }: Tables) => ({
  tenantId: t.tenantId,
  id: t.id,
  userId: t.userId,
  title: t.title,
  summary: t.summary,
  tags: t.tags,
  metadata: t.metadata,
  language: t.language,
  messageCount: t.messageCount,
  lastPosition: t.lastPosition,
  expiresAt: t.expiresAt,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
})

export const messageColumns = ({ messages: t }: Tables) => ({
  tenantId: t.tenantId,
  id: t.id,
  conversationId: t.conversationId,
  position: t.position,
  parentId: t.parentId,
  role: t.role,
  type: t.type,
  content: t.content,
  parts: t.parts,
  name: t.name,
  toolCallId: t.toolCallId,
  status: t.status,
  metadata: t.metadata,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
})

export const sessionColumns = ({ sessions: t }: Tables) => ({
  tenantId: t.tenantId,
  id: t.id,
  userId: t.userId,
  conversationId: t.conversationId,
  state: t.state,
  metadata: t.metadata,
  startedAt: t.startedAt,
  lastActivityAt: t.lastActivityAt,
  endedAt: t.endedAt,
  expiresAt: t.expiresAt,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
})

export const memoryColumns = ({ memories: t }: Tables) => ({
  tenantId: t.tenantId,
  id: t.id,
  userId: t.userId,
  conversationId: t.conversationId,
  type: t.type,
  content: t.content,
  source: t.source,
  category: t.category,
  tags: t.tags,
  confidence: t.confidence,
  importance: t.importance,
  accessCount: t.accessCount,
  relatedIds: t.relatedIds,
  metadata: t.metadata,
  lastAccessedAt: t.lastAccessedAt,
  expiresAt: t.expiresAt,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
})

export const documentColumns = ({ documents: t }: Tables) => ({
  tenantId: t.tenantId,
  namespace: t.namespace,
  id: t.id,
  content: t.content,
  metadata: t.metadata,
  expiresAt: t.expiresAt,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
})

/** What is inserted into the searched tables: the record, and what only the table holds. */
export const INSERTED: { readonly [T in SearchedTable]: readonly string[] } = {
  messages:
    'tenantId conversationId id position parentId role type content parts name toolCallId status metadata searchText createdAt updatedAt version revision'.split(
      ' ',
    ),
  memories:
    'tenantId id userId conversationId type content source category tags confidence importance accessCount relatedIds metadata lastAccessedAt expiresAt searchText createdAt updatedAt version revision'.split(
      ' ',
    ),
  documents: 'tenantId namespace id content metadata expiresAt searchText createdAt updatedAt version revision'.split(
    ' ',
  ),
}

/** What is read of a record that is searched. */
export const RECORD_COLUMNS = { message: messageColumns, memory: memoryColumns, document: documentColumns }
