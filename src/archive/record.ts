import type { CarriedVector } from '../contract/transfer.js'
import { ValidationError } from '../errors.js'
import { type Field, RECORD_FIELDS, type RecordOf } from '../model/fields.js'
import { suggestion } from '../model/parse.js'
import { RECORD_KINDS, type RecordKind } from '../model/records.js'
import { isObject } from './format.js'
import { bytesOf, textOf, vectorOf } from './vector-text.js'

/** One record of an archive, and from version 2 on what came along with it. */
export type ArchiveEntry = {
  readonly [K in RecordKind]: {
    readonly kind: K
    readonly record: RecordOf[K]
    readonly vector?: CarriedVector | null | undefined
    /** Of a message: the user of its conversation. */
    readonly holder?: string | undefined
    readonly made?: true | undefined
  }
}[RecordKind]

type Extras = Pick<ArchiveEntry, 'vector' | 'holder' | 'made'>

const EXTRAS = ['vector', 'hash', 'holder', 'made']

/** The line of a record, without a line feed: instants as ISO strings, fields in their stated order. */
export function encodeEntry(entry: ArchiveEntry): string {
  const { kind, record } = entry
  const { tenantId, ...rest } = record
  const ordered: Record<string, unknown> = {}
  for (const { name, later } of RECORD_FIELDS[kind] as readonly Field[])
    if (name !== 'tenantId' && !(later && (rest as Record<string, unknown>)[name] === null))
      ordered[name] = (rest as Record<string, unknown>)[name]
  return JSON.stringify({ kind, tenant: tenantId, record: ordered, ...encodeExtras(entry) })
}

function encodeExtras({ vector, holder, made }: Extras): Record<string, unknown> {
  if (!vector) return { holder, made }
  const hash = vector.hash.length > 0 ? Buffer.from(vector.hash).toString('base64') : undefined
  return { vector: textOf(vector.vector), hash, holder, made }
}

/** What stands beside a record, each only where it is there. */
function decodeExtras({ vector, hash, holder, made }: Record<string, unknown>): Extras {
  if (holder !== undefined && typeof holder !== 'string') throw new ValidationError('holder', 'must be a string')
  if (made !== undefined && made !== true) throw new ValidationError('made', 'must be true')
  const beside = { ...(holder !== undefined && { holder }), ...(made && { made }) } as Extras
  if (vector === undefined && hash === undefined) return beside
  const kept = { vector: vectorOf(vector), hash: hash === undefined ? new Uint8Array() : bytesOf(hash, 'hash') }
  return { ...beside, vector: kept }
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

function decodeValue(field: Field, value: unknown): unknown {
  const refuse = (problem: string) => new ValidationError(`record.${field.name}`, problem)
  if (value === undefined && field.later) return null
  if (value === undefined) throw refuse('is required')
  if (value === null && field.type !== 'json') {
    if (field.nullable) return null
    throw refuse('must not be null')
  }
  if (field.type === 'text' && typeof value !== 'string') throw refuse('must be a string')
  if (field.type === 'number' && typeof value !== 'number') throw refuse('must be a number')
  if (field.type !== 'instant') return value
  const date = typeof value === 'string' && INSTANT.test(value) ? new Date(value) : null
  // `2026-02-30` is read as the second of March: only what prints back as it stood is an instant.
  if (date === null || Number.isNaN(date.getTime()) || date.toISOString() !== value)
    throw refuse('must be an instant such as 2026-01-31T12:00:00.000Z')
  return date
}

/** Checks and reads a record's line; JSON fields and limits are checked by the store that takes them. */
export function decodeEntry(value: unknown): ArchiveEntry {
  if (!isObject(value)) throw new ValidationError('line', 'must be a JSON object')
  const { kind, tenant, record, ...others } = value
  const unknown = Object.keys(others).find((name) => !EXTRAS.includes(name))
  if (unknown !== undefined) throw new ValidationError(unknown.slice(0, 80), 'is not a known field')
  if (!RECORD_KINDS.includes(kind as RecordKind))
    throw new ValidationError('kind', `must be one of ${RECORD_KINDS.join(', ')}`)
  if (typeof tenant !== 'string') throw new ValidationError('tenant', 'must be a string')
  if (!isObject(record)) throw new ValidationError('record', 'must be an object')
  const known = RECORD_FIELDS[kind as RecordKind] as readonly Field[]
  const names = known.map((field) => field.name)
  for (const name of Object.keys(record))
    if (name === 'tenantId' || !names.includes(name))
      throw new ValidationError(`record.${name.slice(0, 80)}`, `is not a known field${suggestion(name, names)}`)
  const decoded: Record<string, unknown> = { tenantId: tenant }
  for (const field of known) if (field.name !== 'tenantId') decoded[field.name] = decodeValue(field, record[field.name])
  return { kind, record: decoded, ...decodeExtras(others) } as unknown as ArchiveEntry
}
