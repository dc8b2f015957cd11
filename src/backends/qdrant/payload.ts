import { StorageError } from '../../errors.js'
import type { JsonObject, SearchKind } from '../../model/records.js'
import type { Point, PointFields } from '../vector/store.js'

export type Payload = Readonly<Record<string, unknown>>

/** Bytes of a document's id that the engine orders by, in integers of six bytes. */
export const ID_LEVELS = 6
const LEVEL_BYTES = 6

/** Of the bytes from `level` on, as a number; what is shorter is filled up with zeros. */
export function idLevel(id: string, level: number): number {
  const bytes = Buffer.alloc(LEVEL_BYTES)
  const start = level * LEVEL_BYTES
  Buffer.from(id)
    .subarray(start, start + LEVEL_BYTES)
    .copy(bytes)
  return bytes.readUIntBE(0, LEVEL_BYTES)
}

export const idLevelKey = (level: number): string => `id_${level}`

/** How fields are indexed; a condition on another one is met by looking at what these have left. */
export const INDEXES: Readonly<Record<string, unknown>> = {
  tenant: { type: 'keyword', is_tenant: true },
  ...Object.fromEntries(
    ['kind', 'user', 'conversation', 'namespace', 'type', 'category', 'tags'].map((name) => [name, 'keyword']),
  ),
  importance: 'float',
  position: 'integer',
  created_at: 'datetime',
  expires_at: 'datetime',
  ...Object.fromEntries(Array.from({ length: ID_LEVELS }, (_, level) => [idLevelKey(level), 'integer'])),
}

export const instant = (ms: number): string => new Date(ms).toISOString()

const TEXTS = ['user', 'conversation', 'parent', 'namespace', 'role', 'type', 'category'] as const
const NUMBERS = ['importance', 'confidence', 'position'] as const

const FRACTIONS = ['importance', 'confidence'] as const

/** The engine reads one of ten numbers of 16 or 17 digits as its neighbour: their text stands beside them. */
const isLong = (value: number | null): boolean => value !== null && String(value).replace(/\D/g, '').length > 15
const exactName = (name: (typeof FRACTIONS)[number]): string => `${name}_text`

/** What is null is left out: the engine does not index it, and answers are shorter. */
export function toPayload(
  tenant: string,
  kind: SearchKind,
  { fields, content, rest, revision, earlier, hash }: Point,
): Payload {
  const payload: Record<string, unknown> = { tenant, kind, id: fields.id, revision }
  for (const name of [...TEXTS, ...NUMBERS]) if (fields[name] !== null) payload[name] = fields[name]
  for (const name of FRACTIONS) if (isLong(fields[name])) payload[exactName(name)] = String(fields[name])
  if (earlier.length > 0) payload.earlier = earlier
  if (fields.tags.length > 0) payload.tags = fields.tags
  payload.created_at = instant(fields.created)
  if (fields.expires !== null) payload.expires_at = instant(fields.expires)
  if (hash !== null) payload.hash = hash
  if (kind === 'document')
    for (let level = 0; level < ID_LEVELS; level++) payload[idLevelKey(level)] = idLevel(fields.id, level)
  return { ...payload, metadata: fields.metadata, content, rest }
}

const wrong = (): StorageError => new StorageError('a stored point cannot be read')

function text(payload: Payload, name: string): string {
  const value = payload[name]
  if (typeof value !== 'string') throw wrong()
  return value
}

const textOrNull = (payload: Payload, name: string): string | null =>
  payload[name] === undefined ? null : text(payload, name)

function numberOrNull(payload: Payload, name: string): number | null {
  const value = payload[name]
  if (value === undefined) return null
  if (typeof value !== 'number') throw wrong()
  return value
}

function fractionOrNull(payload: Payload, name: (typeof FRACTIONS)[number]): number | null {
  const exact = Number(textOrNull(payload, exactName(name)) ?? Number.NaN)
  return Number.isNaN(exact) ? numberOrNull(payload, name) : exact
}

function instantOf(payload: Payload, name: string): number {
  const ms = Date.parse(text(payload, name))
  if (Number.isNaN(ms)) throw wrong()
  return ms
}

function tagsOf({ tags = [] }: Payload): readonly string[] {
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) throw wrong()
  return tags
}

/** What is not a list of numbers names no revision. */
export const earlierOf = ({ earlier }: Payload): number[] =>
  Array.isArray(earlier) ? earlier.filter((revision) => typeof revision === 'number') : []

function fieldsOf(payload: Payload): PointFields {
  const { metadata } = payload
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) throw wrong()
  return {
    id: text(payload, 'id'),
    user: textOrNull(payload, 'user'),
    conversation: textOrNull(payload, 'conversation'),
    parent: textOrNull(payload, 'parent'),
    namespace: textOrNull(payload, 'namespace'),
    role: textOrNull(payload, 'role'),
    type: textOrNull(payload, 'type'),
    category: textOrNull(payload, 'category'),
    tags: tagsOf(payload),
    importance: fractionOrNull(payload, 'importance'),
    confidence: fractionOrNull(payload, 'confidence'),
    created: instantOf(payload, 'created_at'),
    expires: payload.expires_at === undefined ? null : instantOf(payload, 'expires_at'),
    position: numberOrNull(payload, 'position'),
    metadata: metadata as JsonObject,
  }
}

/** @throws StorageError where the payload is not one of ours. */
export function toPoint(key: unknown, payload: unknown): Point {
  if (typeof key !== 'string' || typeof payload !== 'object' || payload === null) throw wrong()
  const stored = payload as Payload
  const revision = numberOrNull(stored, 'revision')
  if (revision === null) throw wrong()
  return {
    key,
    fields: fieldsOf(stored),
    content: text(stored, 'content'),
    rest: text(stored, 'rest'),
    revision,
    earlier: earlierOf(stored),
    hash: textOrNull(stored, 'hash'),
  }
}

/** What of a payload says which record a point is. */
export const IDENTITY = ['tenant', 'kind', 'id', 'revision', 'conversation', 'namespace', 'rest']

/** A point of which nothing but its identity was asked for. */
export const toIdentity = (key: unknown, payload: unknown): Point =>
  toPoint(key, { ...(payload as Payload | null), content: '', metadata: {}, created_at: instant(0) })
