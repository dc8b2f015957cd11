import { createHash } from 'node:crypto'
import { v5 } from 'uuid'
import type { RecordOf } from '../../model/fields.js'
import type { SearchKind } from '../../model/records.js'
import { decodeStored, encodeStored } from '../../repository/stored-record.js'
import type { Point, PointFields } from './store.js'

/** Of all keys of points; random, once and for all. */
const NAMESPACE = '5b1f9a6e-54d1-4c0b-9a57-0e8d6a0a7c11'

/** Parts with their lengths in front: (`a`, `bc`) and (`ab`, `c`) are told apart, whatever they hold. */
const prefixed = (parts: readonly string[]): string => parts.map((part) => `${part.length}:${part}`).join('')

/**
 * The key of a point: UUIDv5 of tenant, kind, scope and id.
 *
 * @param scope The conversation of a message, the namespace of a document, empty for a memory.
 */
export const keyOf = (tenantId: string, kind: SearchKind, scope: string, id: string): string =>
  v5(prefixed([tenantId, kind, scope, id]), NAMESPACE)

/** Of a text as it is embedded. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The vector came with its record: no model makes it anew until the text changes. */
export const OWN = ''

const NONE = {
  user: null,
  conversation: null,
  parent: null,
  namespace: null,
  role: null,
  type: null,
  category: null,
  tags: [],
  importance: null,
  confidence: null,
  expires: null,
  position: null,
} as const

/** Of a message, who its conversation belongs to, where that is known; other kinds name their user themselves. */
export type HolderOf<K extends SearchKind> = K extends 'message' ? string | null : null

export const FIELDS: {
  readonly [K in SearchKind]: (record: RecordOf[K], holder: HolderOf<K>) => PointFields
} = {
  message: ({ id, conversationId, parentId, role, type, position, metadata, createdAt }, user) => ({
    ...NONE,
    id,
    user,
    conversation: conversationId,
    parent: parentId,
    role,
    type,
    position,
    created: createdAt.getTime(),
    metadata,
  }),
  memory: (memory) => ({
    ...NONE,
    id: memory.id,
    user: memory.userId,
    conversation: memory.conversationId,
    type: memory.type,
    category: memory.category,
    tags: memory.tags,
    importance: memory.importance,
    confidence: memory.confidence,
    created: memory.createdAt.getTime(),
    expires: memory.expiresAt?.getTime() ?? null,
    metadata: memory.metadata,
  }),
  document: ({ id, namespace, createdAt, expiresAt, metadata }) => ({
    ...NONE,
    id,
    namespace,
    created: createdAt.getTime(),
    expires: expiresAt?.getTime() ?? null,
    metadata,
  }),
}

/** The conversation of a message, the namespace of a document, empty for a memory. */
export function scopeOf(
  kind: SearchKind,
  record: { readonly conversationId?: string | null; readonly namespace?: string },
): string {
  if (kind === 'memory') return ''
  return (kind === 'message' ? record.conversationId : record.namespace) as string
}

/** Revisions that a point remembers: more than are written between a write and the look whether it took effect. */
const REMEMBERED = 16

const earlierOf = (before: Point | undefined): number[] =>
  before ? [before.revision, ...before.earlier].slice(0, REMEMBERED) : []

/** A record as a point, with what its write is known by and what it replaces. */
export function toPoint<K extends SearchKind>(
  kind: K,
  record: RecordOf[K],
  holder: HolderOf<K>,
  { before, ...write }: Pick<Point, 'revision' | 'hash'> & { readonly before?: Point | undefined },
): Point {
  return {
    key: keyOf(record.tenantId, kind, scopeOf(kind, record), record.id),
    fields: FIELDS[kind](record, holder),
    content: record.content,
    rest: encodeStored(kind, record, ['content' as keyof RecordOf[K] & string]),
    earlier: earlierOf(before),
    ...write,
  }
}

/** @throws StorageError where the point holds something else. */
export const toRecord = <K extends SearchKind>(kind: K, point: Point, tenantId: string): RecordOf[K] =>
  decodeStored(kind, point.rest, { tenantId, content: point.content })
