import { v5 as uuidv5 } from 'uuid'
import { type Line, splitLines } from '../archive/lines.js'
import { ValidationError } from '../errors.js'
import { canonicalJson } from '../model/canonical.js'
import type { NewMessage } from '../model/inputs.js'
import { checkId, suggestion } from '../model/parse.js'
import type { JsonObject, JsonValue } from '../model/records.js'
import { aboutRecord, parseInstant, parseJson } from './text.js'
import type { ImportItem, Place } from './types.js'

export interface JsonLinesOptions {
  readonly file: string
  /** For lines without `userId`. */
  readonly userId: string
}

/** The longest line that is held in memory; content at its limit fits in any encoding that JSON has for it. */
export const MAX_LINE_BYTES = 128 * 1024 * 1024
/** Ids of messages that the file does not name are made in this namespace. */
const NAMESPACE = '0b3f4a52-6d1e-5c8f-8a77-91c4e2d0a6b3'

const FIELDS = [
  'conversationId',
  'userId',
  'conversationTitle',
  'id',
  'parentId',
  'role',
  'type',
  'content',
  'parts',
  'name',
  'toolCallId',
  'status',
  'metadata',
  'createdAt',
] as const
const TEXTS = ['role', 'type', 'content', 'name', 'toolCallId', 'status', 'parentId'] as const
/** Those that are handed to the store as they are, and checked by it. */
const PASSED = ['parentId', 'role', 'type', 'content', 'parts', 'name', 'toolCallId', 'status', 'metadata'] as const

interface Seen {
  /** Messages so far that had no id. */
  unnamed: number
  titled: boolean
}

/**
 * Messages, one JSON object a line; a conversation begins where it is first named. A message without an id gets one
 * made from its conversation, its number among those without an id, and what it says: the same file again makes the
 * same ids. Blank lines are passed over.
 */
export async function* readJsonLines(
  chunks: AsyncIterable<Buffer>,
  options: JsonLinesOptions,
): AsyncGenerator<ImportItem[]> {
  const seen = new Map<string, Seen>()
  for await (const line of splitLines(chunks, MAX_LINE_BYTES)) {
    const place = { file: options.file, line: line.number, offset: line.offset }
    try {
      const items = itemsOf(line, place, seen, options)
      if (items.length > 0) yield items
    } catch (error) {
      const { field, problem } = aboutRecord(error, 'line')
      yield [{ kind: 'message', outcome: 'refused', field, reason: problem, place }]
    }
  }
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf])
const BLANK = /^[ \t\r]*$/

function itemsOf(line: Line, place: Place, seen: Map<string, Seen>, options: JsonLinesOptions): ImportItem[] {
  if (line.bytes === null) throw new ValidationError('line', `must be at most ${MAX_LINE_BYTES} bytes`)
  const bytes = line.number === 1 && line.bytes.subarray(0, 3).equals(BOM) ? line.bytes.subarray(3) : line.bytes
  if (bytes.length < 100 && BLANK.test(bytes.toString('latin1'))) return []
  const value = parseJson(bytes, 'line')
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ValidationError('line', 'must be a JSON object')
  for (const name of Object.keys(value))
    if (!FIELDS.includes(name as (typeof FIELDS)[number]))
      throw new ValidationError(name.slice(0, 80), `is not a known field${suggestion(name, FIELDS)}`)
  return messageItems(value as JsonObject, place, bytes.length, seen, options)
}

/** The optional field where it stands and is not null. */
const optional = <T>(value: JsonObject, name: string, read: (v: JsonValue, name: string) => T): T | undefined => {
  const found = value[name]
  return found === undefined || found === null ? undefined : read(found, name)
}

const text = (value: JsonValue, name: string): string => {
  if (typeof value !== 'string') throw new ValidationError(name, 'must be a string')
  return value
}

function messageItems(
  value: JsonObject,
  place: Place,
  size: number,
  seen: Map<string, Seen>,
  options: JsonLinesOptions,
): ImportItem[] {
  const conversationId = checkId(value.conversationId, 'conversationId')
  const userId = optional(value, 'userId', checkId)
  const title = optional(value, 'conversationTitle', text)
  if (value.role === undefined) throw new ValidationError('role', 'is required')
  for (const name of TEXTS) optional(value, name, text)
  const createdAt = optional(value, 'createdAt', parseInstant)
  const id = optional(value, 'id', checkId)
  const before = seen.get(conversationId)
  const entry = before ?? { unnamed: 0, titled: false }
  seen.set(conversationId, entry)
  const input = {
    ...Object.fromEntries(PASSED.flatMap((name) => (value[name] === undefined ? [] : [[name, value[name]]]))),
    id: id ?? madeId(conversationId, entry.unnamed++, value),
    ...(createdAt ? { createdAt } : {}),
  } as NewMessage & { readonly id: string }
  const message = { ...place, id: input.id }
  const items: ImportItem[] = [{ kind: 'message', tenant: null, place: message, size, conversationId, userId, input }]
  if (before && (title === undefined || entry.titled)) return items
  entry.titled = title !== undefined
  const conversation = {
    id: conversationId,
    userId: userId ?? options.userId,
    ...(title === undefined ? {} : { title }),
    ...(before || !createdAt ? {} : { createdAt }),
  }
  const repeat = before !== undefined
  return [{ kind: 'conversation', tenant: null, place, size: 200, input: conversation, repeat }, ...items]
}

function madeId(conversationId: string, ordinal: number, { role, content, parts }: JsonObject): string {
  // Over canonical JSON, so that the order of keys in the file does not matter.
  return uuidv5(canonicalJson([conversationId, ordinal, role ?? null, content ?? null, parts ?? null]), NAMESPACE)
}
