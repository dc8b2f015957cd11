import { StorageError } from '../../errors.js'
import { type Field, RECORD_FIELDS, type RecordOf } from '../../model/fields.js'
import type { Conversation, MemoryEntry, Message, RecordKind, Session, User } from '../../model/records.js'
import { POSITION_WIDTH, positionKey } from './order.js'
import type { Fields } from './transaction.js'

/** Milliseconds since the epoch at which a record expires: its own end, and the default one. */
export interface Life {
  readonly own: number | null
  readonly given: number | null
}

/** The earlier end. */
export const endOf = ({ own, given }: Life): number | null =>
  own === null || given === null ? (own ?? given) : Math.min(own, given)

const wrong = (kind: string): StorageError => new StorageError(`a stored ${kind} cannot be read`)

function numberOf(text: string | null, kind: string): number | null {
  if (text === null) return null
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw wrong(kind)
  return value
}

export const lifeOf = (fields: Fields): Life => ({
  own: numberOf(fields.x, 'expiry'),
  given: numberOf(fields.y, 'expiry'),
})

export const isOver = (life: Life, now: number): boolean => {
  const end = endOf(life)
  return end !== null && end <= now
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
const MAX_INSTANT = 253_402_300_799_999

/** One field as it is in the record; a value that cannot be one is a StorageError. */
function revive(kind: string, field: Field, value: unknown): unknown {
  if (value === null || value === undefined) {
    if (field.nullable) return null
    throw wrong(kind)
  }
  switch (field.type) {
    case 'text':
      if (typeof value === 'string') return value
      break
    case 'number':
      if (typeof value === 'number') return value
      break
    case 'instant':
      if (typeof value === 'number' && Math.abs(value) <= MAX_INSTANT) return new Date(value)
      break
    default:
      if (isObject(value)) return value
  }
  throw wrong(kind)
}

// A JSON error quotes the text: it must not become the cause.
function parsed(kind: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrong(kind)
  }
}

/** What stands in fields of their own: appends change them, and the end is the earlier of two. */
const APART: Readonly<Record<string, readonly string[]>> = {
  user: [],
  conversation: ['userId', 'messageCount', 'lastPosition', 'updatedAt', 'expiresAt'],
  session: ['expiresAt'],
  memory: ['expiresAt'],
}

const storedFields = (kind: RecordKind): readonly Field[] =>
  (RECORD_FIELDS[kind] as readonly Field[]).filter(({ name }) => name !== 'tenantId' && !APART[kind]?.includes(name))
const STORED = {
  user: storedFields('user'),
  conversation: storedFields('conversation'),
  session: storedFields('session'),
  memory: storedFields('memory'),
}
type Kept = keyof typeof STORED

/** The record as text: its fields in a fixed order, instants as milliseconds. */
export function encodeRecord<K extends Kept>(kind: K, record: RecordOf[K]): string {
  const values = record as unknown as Record<string, unknown>
  return JSON.stringify(
    STORED[kind].map(({ name, type }) =>
      type === 'instant' && values[name] ? (values[name] as Date).getTime() : (values[name] ?? null),
    ),
  )
}

function decodeRecord(kind: Kept, text: string, tenantId: string): Record<string, unknown> {
  const values = parsed(kind, text)
  const fields = STORED[kind]
  if (!Array.isArray(values) || values.length !== fields.length) throw wrong(kind)
  const record: Record<string, unknown> = { tenantId }
  fields.forEach((field, i) => {
    record[field.name] = revive(kind, field, values[i])
  })
  return record
}

const dateOf = (ms: number | null): Date | null => (ms === null ? null : new Date(ms))

export const readUser = (fields: Fields, tenantId: string): User | null =>
  fields.d === null ? null : (decodeRecord('user', fields.d, tenantId) as unknown as User)

export function readConversation(fields: Fields, tenantId: string): Conversation | null {
  if (fields.d === null) return null
  const { u: userId, n, p, t } = fields
  const messageCount = numberOf(n, 'conversation')
  const lastPosition = numberOf(p, 'conversation')
  const updatedAt = dateOf(numberOf(t, 'conversation'))
  if (userId === null || messageCount === null || lastPosition === null || updatedAt === null)
    throw wrong('conversation')
  return {
    ...decodeRecord('conversation', fields.d, tenantId),
    userId,
    messageCount,
    lastPosition,
    expiresAt: dateOf(endOf(lifeOf(fields))),
    updatedAt,
  } as unknown as Conversation
}

const readMortal = <R>(kind: 'session' | 'memory', fields: Fields, tenantId: string): R | null =>
  fields.d === null
    ? null
    : ({ ...decodeRecord(kind, fields.d, tenantId), expiresAt: dateOf(endOf(lifeOf(fields))) } as R)
export const readSession = (fields: Fields, tenantId: string): Session | null =>
  readMortal<Session>('session', fields, tenantId)
export const readMemory = (fields: Fields, tenantId: string): MemoryEntry | null =>
  readMortal<MemoryEntry>('memory', fields, tenantId)

/** A message as text behind its position, which only the server knows when it is appended. */
export const encodeMessage = (m: Message): string =>
  JSON.stringify([
    m.id,
    m.parentId,
    m.role,
    m.type,
    m.content,
    m.parts,
    m.name,
    m.toolCallId,
    m.status,
    m.metadata,
    m.createdAt.getTime(),
    m.updatedAt.getTime(),
    m.version,
  ])
export const messageMember = (m: Message): string => positionKey(m.position) + encodeMessage(m)
const positionOf = (member: string): number => Number(member.slice(0, POSITION_WIDTH))

const text = (value: unknown): boolean => typeof value === 'string'
const textOrNull = (value: unknown): boolean => value === null || typeof value === 'string'

/** One message of a conversation, from what the listing holds. Written out: it is done for every message that is read. */
export function readMessage(member: string, tenantId: string, conversationId: string): Message {
  const position = positionOf(member)
  const v = parsed('message', member.slice(POSITION_WIDTH)) as unknown[]
  if (
    !Array.isArray(v) ||
    v.length !== 13 ||
    !(Number.isSafeInteger(position) && text(v[0]) && textOrNull(v[1]) && text(v[2]) && text(v[3]) && text(v[4])) ||
    !(v[5] === null || Array.isArray(v[5])) ||
    !(textOrNull(v[6]) && textOrNull(v[7]) && text(v[8]) && isObject(v[9]) && !Array.isArray(v[9])) ||
    !(typeof v[10] === 'number' && typeof v[11] === 'number' && typeof v[12] === 'number')
  )
    throw wrong('message')
  return {
    tenantId,
    id: v[0],
    conversationId,
    position,
    parentId: v[1],
    role: v[2],
    type: v[3],
    content: v[4],
    parts: v[5],
    name: v[6],
    toolCallId: v[7],
    status: v[8],
    metadata: v[9],
    createdAt: new Date(v[10]),
    updatedAt: new Date(v[11]),
    version: v[12],
  } as Message
}
