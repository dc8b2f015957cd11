import { createHash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { JsonValue } from '../../model/records.js'
import type { Point, PointFields } from '../vector/store.js'

/** What Chroma keeps beside a record: flat, without nulls. */
export type Metadata = Record<string, string | number | boolean>

/** Whole numbers are compared rightly; of one whole and one broken number the server cuts the broken one. */
const FRACTION = 2 ** 52
/** Later than any instant. */
const NEVER = 9e15
/** The position of what has none. */
export const NOWHERE = -9e15
const NONE = '-'

export const textValue = (value: string | null): string => (value === null ? NONE : `=${value}`)

/** In the order of fractions, as whole numbers. */
export const fractionValue = (value: number): number => Math.floor(value * FRACTION)

const bits = new DataView(new ArrayBuffer(8))

/** Whole numbers in the order of all numbers; the nearest ones share one. */
export function numberValue(value: number): number {
  bits.setFloat64(0, value === 0 ? 0 : value)
  const raw = bits.getBigInt64(0)
  // The bits of negative numbers grow with their size.
  return Number((raw < 0n ? -(raw & 0x7fff_ffff_ffff_ffffn) : raw) >> 11n)
}

/** Whole numbers in the order of texts' bytes; those with the same beginning share one. */
export function textOrder(value: string): number {
  const bytes = Buffer.alloc(6)
  Buffer.from(value.slice(0, 6)).subarray(0, 6).copy(bytes)
  return bytes.readUIntBE(0, 6)
}

const LONG = 64

/** A text that tells values from each other, by their types too; null where it is no plain value. */
export function token(value: JsonValue): string | null {
  if (value === null) return 'null'
  if (typeof value === 'boolean' || typeof value === 'number') return `${value === 0 ? 0 : value}`
  if (typeof value !== 'string') return null
  return value.length <= LONG ? `=${value}` : `#${createHash('sha256').update(value).digest('hex')}`
}

/** By these the values of a record's own metadata and its tags are asked for. */
function facets({ tags, metadata }: PointFields): Metadata {
  const all: Metadata = {}
  const set = (name: string, value: string | number | boolean): void => {
    // Not by assignment, which would take `__proto__` for something else.
    Object.defineProperty(all, name, { value, enumerable: true, writable: true, configurable: true })
  }
  for (const tag of tags) set(`t:${tag}`, true)
  for (const [key, value] of Object.entries(metadata)) {
    const told = token(value)
    if (told !== null) set(`m:${key}`, told)
    if (typeof value === 'number') set(`n:${key}`, numberValue(value))
    if (typeof value === 'string') set(`s:${key}`, textOrder(value))
  }
  return all
}

const isFacet = (name: string): boolean => /^[tmns]:/.test(name)

/**
 * A point as metadata.
 *
 * @param before What stands there: the server merges, so that a facet which has gone must be overwritten.
 */
export function toMetadata(point: Point, before: Metadata | null): Metadata {
  const { fields, rest, revision, hash } = point
  const own = facets(fields)
  const gone = Object.keys(before ?? {}).filter((name) => isFacet(name) && !Object.hasOwn(own, name))
  return {
    ...Object.fromEntries(gone.map((name) => [name, false])),
    ...own,
    id: textValue(fields.id),
    user: textValue(fields.user),
    conversation: textValue(fields.conversation),
    parent: textValue(fields.parent),
    namespace: textValue(fields.namespace),
    role: textValue(fields.role),
    type: textValue(fields.type),
    category: textValue(fields.category),
    importance: fields.importance === null ? -1 : fractionValue(fields.importance),
    confidence: fields.confidence === null ? -1 : fractionValue(fields.confidence),
    created: fields.created,
    expires: fields.expires ?? NEVER,
    position: fields.position ?? NOWHERE,
    fields: JSON.stringify(fields),
    rest,
    revision,
    hash: textValue(hash),
    embedded: hash !== null,
  }
}

const wrong = (): StorageError => new StorageError('a stored point cannot be read')

const isText = (value: unknown): value is string => typeof value === 'string'
const isTextOrNull = (value: unknown): boolean => value === null || isText(value)
const isNumberOrNull = (value: unknown): boolean => value === null || typeof value === 'number'
const TEXTS = ['user', 'conversation', 'parent', 'namespace', 'role', 'type', 'category'] as const
const NUMBERS = ['importance', 'confidence', 'expires', 'position'] as const

function fieldsOf({ fields: text }: Metadata): PointFields {
  let fields: Partial<PointFields>
  try {
    fields = JSON.parse(String(text))
  } catch {
    // A JSON error quotes the text: it must not become the cause.
    throw wrong()
  }
  const right =
    typeof fields === 'object' &&
    fields !== null &&
    isText(fields.id) &&
    typeof fields.created === 'number' &&
    TEXTS.every((name) => isTextOrNull(fields[name])) &&
    NUMBERS.every((name) => isNumberOrNull(fields[name])) &&
    Array.isArray(fields.tags) &&
    fields.tags.every(isText) &&
    typeof fields.metadata === 'object' &&
    fields.metadata !== null
  if (!right) throw wrong()
  return fields as PointFields
}

/** @throws StorageError where it is not one of ours. */
export function toPoint(key: string, metadata: Metadata | null | undefined, content: string | null | undefined): Point {
  const { rest, revision, hash } = metadata ?? {}
  if (!metadata || !isText(content) || !isText(rest) || !isText(hash) || typeof revision !== 'number') throw wrong()
  return {
    key,
    fields: fieldsOf(metadata),
    content,
    rest,
    revision,
    // Writers wait for one another here: no write asks what has become of it.
    earlier: [],
    hash: hash === NONE ? null : hash.slice(1),
  }
}
