import { canonicalJson } from '../../model/canonical.js'
import { digestFields } from '../../model/digest.js'
import { RECORD_FIELDS } from '../../model/fields.js'
import type { NewMessage } from '../../model/inputs.js'
import type { JsonObject, JsonValue, Message, RecordKind } from '../../model/records.js'

const MESSAGE_SAYS = ['role', 'type', 'content', 'parts', 'name', 'toolCallId', 'status', 'metadata']
const messageFields = RECORD_FIELDS.message.filter((field) => MESSAGE_SAYS.includes(field.name))

/** What a stored message and one of a file have in common when they say the same; times and parents are left out. */
export function messageSays(message: Message | NewMessage): string {
  const { role, type, content, parts, name, toolCallId, status, metadata } = message
  const whole = {
    role,
    type: type ?? 'text',
    content: content ?? '',
    parts: parts ?? null,
    name: name ?? null,
    toolCallId: toolCallId ?? null,
    status: status ?? 'complete',
    metadata: metadata ?? {},
  }
  return digestFields('same message', messageFields, whole as Message).toString('base64')
}

/** Fields that an update can bring to what the file says. */
const UPDATABLE: { readonly [K in Exclude<RecordKind, 'message'>]: readonly string[] } = {
  user: ['name', 'preferences', 'profile', 'metadata', 'lastActiveAt'],
  conversation: ['title', 'summary', 'tags', 'metadata', 'expiresAt'],
  session: ['conversationId', 'state', 'metadata', 'expiresAt'],
  memory: [
    'conversationId',
    'type',
    'content',
    'source',
    'category',
    'tags',
    'confidence',
    'importance',
    'relatedIds',
    'metadata',
    'expiresAt',
  ],
  document: ['content', 'metadata', 'expiresAt'],
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** Updates merge JSON objects one level deep, so keys that only the store has stay and are no difference. */
function same(stored: unknown, given: unknown, merges: boolean): boolean {
  if (given instanceof Date || stored instanceof Date)
    return given instanceof Date && stored instanceof Date && given.getTime() === stored.getTime()
  if (merges && isObject(stored) && isObject(given))
    return Object.entries(given).every(([key, value]) => Object.hasOwn(stored, key) && same(stored[key], value, false))
  return canonicalJson((stored ?? null) as JsonValue) === canonicalJson((given ?? null) as JsonValue)
}

/** The first field in which applying the file's record would change the stored one, or null. */
export function difference(kind: Exclude<RecordKind, 'message'>, stored: object, given: object): string | null {
  const has = stored as Record<string, unknown>
  const wants = given as Record<string, unknown>
  for (const field of UPDATABLE[kind])
    if (wants[field] !== undefined && !same(has[field], wants[field], kind !== 'document')) return field
  return null
}

/** The part of a file's record that an update takes. */
export const patchOf = <P>(kind: Exclude<RecordKind, 'message'>, given: object): P =>
  Object.fromEntries(
    Object.entries(given).filter(([name, v]) => v !== undefined && UPDATABLE[kind].includes(name)),
  ) as P
