import { StorageError } from '../errors.js'
import { type Field, RECORD_FIELDS, type RecordOf } from '../model/fields.js'
import type { Message, RecordKind } from '../model/records.js'

/** Makes a record of its plain values. @throws StorageError where they are not what `storedValues` made. */
export type Revive<K extends RecordKind> = (values: unknown, tenantId: string) => RecordOf[K]

/**
 * Makes records of one kind from what `storedValues` made of them, which nobody else writes: their values are not checked
 * again.
 */
export function reviver<K extends RecordKind>(kind: K): Revive<K> {
  const fields = (RECORD_FIELDS[kind] as readonly Field[]).filter(({ name }) => name !== 'tenantId')
  const names = fields.map(({ name }) => name)
  const instants = fields.map(({ type }) => type === 'instant')
  // Copies of one object have its shape; one that gets its fields by name, one after another, becomes a slow dictionary.
  const shape: Record<string, unknown> = Object.fromEntries(['tenantId', ...names].map((name) => [name, null]))
  return (values, tenantId) => {
    if (!Array.isArray(values) || values.length !== names.length)
      throw new StorageError(`a stored ${kind} cannot be read`)
    const record = { ...shape }
    record.tenantId = tenantId
    for (let i = 0; i < names.length; i++) {
      const value: unknown = values[i]
      record[names[i] as string] = instants[i] && value !== null ? new Date(value as number) : value
    }
    return record as unknown as RecordOf[K]
  }
}

/** The values of a message of a known conversation, in the order of its fields. */
type Values = readonly [
  id: string,
  position: number,
  parentId: string | null,
  role: Message['role'],
  type: Message['type'],
  content: string,
  parts: Message['parts'],
  name: string | null,
  toolCallId: string | null,
  status: Message['status'],
  metadata: Message['metadata'],
  createdAt: number,
  updatedAt: number,
  version: number,
]
const WIDTH = 14

/** The same for the messages of a conversation, which are read most often: written out, it costs half as much. */
export function messageOf(values: unknown, tenantId: string, conversationId: string): Message {
  if (!Array.isArray(values) || values.length !== WIDTH) throw new StorageError('a stored message cannot be read')
  const v = values as unknown as Values
  return {
    tenantId,
    conversationId,
    id: v[0],
    position: v[1],
    parentId: v[2],
    role: v[3],
    type: v[4],
    content: v[5],
    parts: v[6],
    name: v[7],
    toolCallId: v[8],
    status: v[9],
    metadata: v[10],
    createdAt: new Date(v[11]),
    updatedAt: new Date(v[12]),
    version: v[13],
  }
}
