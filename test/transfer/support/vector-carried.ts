import type { Carried } from '../../../src/contract/transfer.js'
import type { Document, MemoryEntry, Message } from '../../../src/model/records.js'
import { vectorOf } from '../../conformance/vectors-fixtures.js'

export const at = new Date('2024-05-06T07:08:09.012Z')
const stamps = { createdAt: at, updatedAt: at, version: 3 }
export const own = (values: ArrayLike<number> = vectorOf('walnut')) => ({
  vector: Float32Array.from(values),
  hash: new Uint8Array(),
})

export const message = (more: Partial<Message> = {}): Message => ({
  tenantId: 'a',
  conversationId: 'c',
  id: 'm1',
  position: 7,
  parentId: null,
  role: 'user',
  type: 'text',
  content: 'a walnut',
  parts: null,
  name: null,
  toolCallId: null,
  status: 'complete',
  metadata: {},
  ...stamps,
  ...more,
})
export const document = (more: Partial<Document> = {}): Document => ({
  tenantId: 'a',
  namespace: 'n',
  id: 'd',
  content: 'a cello',
  metadata: {},
  expiresAt: null,
  ...stamps,
  ...more,
})
export const memoryEntry = (more: Partial<MemoryEntry> = {}): MemoryEntry => ({
  tenantId: 'a',
  id: 'e',
  userId: 'ada',
  conversationId: null,
  type: 'fact',
  content: 'a ferry',
  source: null,
  category: null,
  tags: [],
  confidence: 1,
  importance: 0.5,
  accessCount: 0,
  relatedIds: [],
  metadata: {},
  lastAccessedAt: null,
  expiresAt: null,
  ...stamps,
  ...more,
})

/** On its way, with a vector of its own. */
export const carried = {
  message: (more: Partial<Message> = {}, rest: object = {}): Carried => ({
    kind: 'message',
    record: message(more),
    vector: own(),
    holder: 'ada',
    ...rest,
  }),
  document: (more: Partial<Document> = {}, rest: object = {}): Carried => ({
    kind: 'document',
    record: document(more),
    vector: own(),
    ...rest,
  }),
  memory: (more: Partial<MemoryEntry> = {}, rest: object = {}): Carried => ({
    kind: 'memory',
    record: memoryEntry(more),
    vector: own(),
    ...rest,
  }),
}
