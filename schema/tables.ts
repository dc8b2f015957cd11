import {
  bytes,
  flag,
  instant,
  integer,
  json,
  key,
  oneOf,
  optional,
  type Row,
  real,
  seq,
  sequence,
  table,
  text,
} from './column.js'

/** A JSON object as stored: `metadata`, `preferences`, `profile`, `state`. */
export type JsonObject = { [key: string]: JsonValue }
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject

/** What every record carries. `version` counts the record's updates, `revision` is drawn store-wide by every write. */
const stamps = { createdAt: instant(), updatedAt: instant(), version: integer(), revision: integer() }

/** The store-wide counter behind every `revision`. */
export const revision = sequence('bruno_revision')

export const users = table(
  'bruno_users',
  {
    tenantId: key(),
    id: key(),
    name: optional(text()),
    preferences: json<JsonObject>(),
    profile: json<JsonObject>(),
    metadata: json<JsonObject>(),
    lastActiveAt: optional(instant()),
    ...stamps,
  },
  { key: ['tenantId', 'id'] },
)

const user = {
  name: 'user',
  on: ['tenantId', 'userId'],
  references: () => users,
  to: ['tenantId', 'id'],
  onDelete: 'cascade',
} as const

export const conversations = table(
  'bruno_conversations',
  {
    tenantId: key(),
    id: key(),
    userId: key(),
    title: optional(text()),
    summary: optional(text()),
    tags: json<string[]>(),
    metadata: json<JsonObject>(),
    /** Of its messages; null means the store's. */
    language: optional(text()),
    messageCount: integer(),
    lastPosition: integer(),
    expiresAt: optional(instant()),
    ...stamps,
  },
  {
    key: ['tenantId', 'id'],
    foreignKeys: [user],
    indexes: [
      { name: 'created', on: ['tenantId', 'createdAt', 'id'] },
      { name: 'user', on: ['tenantId', 'userId', 'createdAt', 'id'] },
      { name: 'expiry', on: ['tenantId', 'expiresAt'], whereNotNull: 'expiresAt' },
    ],
  },
)

export const messages = table(
  'bruno_messages',
  {
    seq: seq(),
    tenantId: key(),
    conversationId: key(),
    id: key(),
    position: integer(),
    parentId: optional(key()),
    role: oneOf('system', 'user', 'assistant', 'tool', 'function'),
    type: oneOf('text', 'audio', 'image', 'file', 'command', 'action'),
    content: text(),
    parts: optional(json<JsonValue[]>()),
    name: optional(text()),
    toolCallId: optional(text()),
    status: oneOf('complete', 'draft', 'aborted'),
    metadata: json<JsonObject>(),
    searchText: text(),
    ...stamps,
  },
  {
    key: ['tenantId', 'conversationId', 'id'],
    foreignKeys: [
      {
        name: 'conversation',
        on: ['tenantId', 'conversationId'],
        references: () => conversations,
        to: ['tenantId', 'id'],
        onDelete: 'cascade',
      },
    ],
    indexes: [
      { name: 'position', on: ['tenantId', 'conversationId', 'position'], unique: true },
      { name: 'parent', on: ['tenantId', 'conversationId', 'parentId'], whereNotNull: 'parentId' },
    ],
  },
)

export const sessions = table(
  'bruno_sessions',
  {
    tenantId: key(),
    id: key(),
    userId: key(),
    conversationId: optional(key()),
    state: json<JsonObject>(),
    metadata: json<JsonObject>(),
    startedAt: instant(),
    lastActivityAt: instant(),
    endedAt: optional(instant()),
    expiresAt: optional(instant()),
    ...stamps,
  },
  {
    key: ['tenantId', 'id'],
    foreignKeys: [user],
    indexes: [
      { name: 'started', on: ['tenantId', 'startedAt', 'id'] },
      { name: 'user', on: ['tenantId', 'userId', 'startedAt', 'id'] },
      { name: 'conversation', on: ['tenantId', 'conversationId'], whereNotNull: 'conversationId' },
      { name: 'expiry', on: ['tenantId', 'expiresAt'], whereNotNull: 'expiresAt' },
    ],
  },
)

export const memories = table(
  'bruno_memories',
  {
    seq: seq(),
    tenantId: key(),
    id: key(),
    userId: key(),
    conversationId: optional(key()),
    type: oneOf('short_term', 'long_term', 'episodic', 'semantic', 'procedural', 'fact'),
    content: text(),
    source: optional(text()),
    category: optional(text()),
    tags: json<string[]>(),
    confidence: real(),
    importance: real(),
    accessCount: integer(),
    relatedIds: json<string[]>(),
    metadata: json<JsonObject>(),
    lastAccessedAt: optional(instant()),
    expiresAt: optional(instant()),
    searchText: text(),
    ...stamps,
  },
  {
    key: ['tenantId', 'id'],
    foreignKeys: [user],
    indexes: [
      { name: 'importance', on: ['tenantId', 'importance', 'createdAt', 'id'] },
      { name: 'user', on: ['tenantId', 'userId', 'importance', 'createdAt', 'id'] },
      { name: 'conversation', on: ['tenantId', 'conversationId'], whereNotNull: 'conversationId' },
      { name: 'expiry', on: ['tenantId', 'expiresAt'], whereNotNull: 'expiresAt' },
    ],
  },
)

export const documents = table(
  'bruno_documents',
  {
    seq: seq(),
    tenantId: key(),
    namespace: key(),
    id: key(),
    content: text(),
    metadata: json<JsonObject>(),
    expiresAt: optional(instant()),
    searchText: text(),
    ...stamps,
  },
  {
    key: ['tenantId', 'namespace', 'id'],
    indexes: [{ name: 'expiry', on: ['tenantId', 'expiresAt'], whereNotNull: 'expiresAt' }],
  },
)

/** The truth about vectors: one row per record and embedding space. `scope` is the conversation, the namespace or ''. */
export const embeddings = table(
  'bruno_embeddings',
  {
    seq: seq(),
    tenantId: key(),
    space: key(),
    kind: oneOf('message', 'memory', 'document'),
    scope: key(),
    recordId: key(),
    userId: optional(key()),
    /** The record's own `seq`: searches meet filters by it. */
    recordSeq: integer(),
    /** A number for (tenant, space, kind): the first part of what an engine's vector index is ordered by. */
    part: integer(),
    /** Of the text that was embedded; empty where the vector came with the record. */
    contentHash: bytes(),
    /** Little-endian float32 values, as they were given. */
    vector: bytes(),
    ...stamps,
  },
  {
    key: ['tenantId', 'space', 'kind', 'scope', 'recordId'],
    indexes: [
      { name: 'user', on: ['tenantId', 'space', 'kind', 'userId'], whereNotNull: 'userId' },
      { name: 'record', on: ['tenantId', 'kind', 'scope', 'recordId'] },
      { name: 'content', on: ['tenantId', 'space', 'contentHash'] },
    ],
  },
)

/** An embedding space: vectors of different spaces are never compared. */
export const spaces = table(
  'bruno_spaces',
  {
    id: key(),
    provider: text(),
    model: text(),
    dimensions: integer(),
    metric: oneOf('cosine', 'dot', 'euclidean'),
    normalized: flag(),
    state: oneOf('building', 'active', 'retired'),
    ...stamps,
  },
  { key: ['id'] },
)

/** How `search_text` was made; a store is searched only with the analyzer that wrote it. */
export const analyzers = table(
  'bruno_analyzers',
  {
    id: key(),
    stemmer: text(),
    stemmerVersion: text(),
    language: text(),
    cjk: text(),
    ...stamps,
  },
  { key: ['id'] },
)

/** What is kept up from the records: this store's own vectors (`local`), semantic stores, caches, migration targets. */
export const followers = table(
  'bruno_followers',
  {
    name: key(),
    kind: oneOf('local', 'semantic', 'cache', 'target'),
    state: oneOf('seeding', 'active', 'paused', 'retired'),
    /** Which record kinds it is fed. */
    kinds: json<string[]>(),
    /** Where it is, without secrets, and what it was opened with. */
    settings: json<JsonObject>(),
    /** Effects at or below this revision were seeded. */
    seededRevision: integer(),
    leaseOwner: optional(text()),
    leaseEpoch: integer(),
    leaseUntil: optional(instant()),
    ...stamps,
  },
  { key: ['name'] },
)

/** What followers still have to be told: one row per follower and record; ids and revisions only, never content. */
export const outbox = table(
  'bruno_outbox',
  {
    follower: key(),
    tenantId: key(),
    kind: key(),
    scope: key(),
    recordId: key(),
    revision: integer(),
    attempts: integer(),
    createdAt: instant(),
    nextAttemptAt: instant(),
    parkedAt: optional(instant()),
    errorCode: optional(text()),
    leaseOwner: optional(text()),
    leaseUntil: optional(instant()),
  },
  {
    key: ['follower', 'tenantId', 'kind', 'scope', 'recordId'],
    indexes: [{ name: 'due', on: ['follower', 'nextAttemptAt', 'revision'] }],
  },
)

/** Operations that ran once: a known id returns its stored result and does not run again. */
export const operations = table(
  'bruno_operations',
  {
    tenantId: key(),
    operationId: key(),
    fingerprint: optional(text()),
    /** The result in its stored form, or null where it was larger than the bound. */
    result: optional(text()),
    /** Keys of the records that the operation wrote. */
    records: json<JsonValue[]>(),
    createdAt: instant(),
    expiresAt: instant(),
  },
  { key: ['tenantId', 'operationId'], indexes: [{ name: 'expiry', on: ['tenantId', 'expiresAt'] }] },
)

/** What was written while this store stood in for another one, until it has been handed back to that one. */
export const journal = table(
  'bruno_journal',
  {
    seq: seq(),
    tenantId: key(),
    id: key(),
    /** Of the outage. */
    epoch: integer(),
    /** `done`: handed back, its records are still to be removed here; `kept`: parked, its records are removed. */
    state: oneOf('waiting', 'done', 'parked', 'kept'),
    what: text(),
    reason: optional(text()),
    createdAt: instant(),
  },
  { key: ['tenantId', 'id'], indexes: [{ name: 'state', on: ['state', 'seq'] }] },
)

/** Whether this store stands in for another one. One row, known to all processes. */
export const fallbackState = table(
  'bruno_fallback_state',
  {
    id: key(),
    epoch: integer(),
    phase: oneOf('idle', 'outage', 'closing'),
    leaseOwner: optional(text()),
    leaseUntil: optional(instant()),
  },
  { key: ['id'] },
)

/** A transfer into this store that is not through: what it does was decided when it began. */
export const transfers = table(
  'bruno_transfers',
  {
    id: key(),
    /** `loading`: indexes and triggers are left to the end; nobody else uses the store until then. */
    state: oneOf('running', 'loading'),
    plan: text(),
    /** How far it is, as JSON. */
    checkpoint: optional(text()),
    /** What makes again what was taken away for loading, as JSON. */
    rebuild: optional(text()),
    owner: optional(text()),
    /** Counts up with every owner. */
    epoch: integer(),
    leaseUntil: optional(instant()),
    createdAt: instant(),
    updatedAt: instant(),
  },
  { key: ['id'] },
)

export type UserRow = Row<typeof users>
export type ConversationRow = Row<typeof conversations>
export type MessageRow = Row<typeof messages>
export type SessionRow = Row<typeof sessions>
export type MemoryRow = Row<typeof memories>
export type DocumentRow = Row<typeof documents>
export type EmbeddingRow = Row<typeof embeddings>
export type OperationRow = Row<typeof operations>
