import { StorageError } from '../errors.js'
import { type Field, RECORD_FIELDS, type RecordOf } from '../model/fields.js'
import type { RecordKind } from '../model/records.js'

const MAX_INSTANT = 253_402_300_799_999
const wrong = (kind: string): StorageError => new StorageError(`a stored ${kind} cannot be read`)

interface Layout {
  readonly fields: readonly Field[]
  /** Copies of one object have its shape; one that gets its fields by name, one after another, becomes a slow dictionary. */
  readonly shape: Readonly<Record<string, unknown>>
}

const known = new Map<string, Layout>()

/** The fields of a kind in their stated order, but for the tenant and those that stand apart. */
function layoutOf(kind: RecordKind, apart: readonly string[]): Layout {
  const name = `${kind} ${apart.join()}`
  let layout = known.get(name)
  if (!layout) {
    const all = RECORD_FIELDS[kind] as readonly Field[]
    const fields = all.filter((field) => field.name !== 'tenantId' && !apart.includes(field.name))
    layout = { fields, shape: Object.fromEntries(all.map((field) => [field.name, null])) }
    known.set(name, layout)
  }
  return layout
}

/** A record as plain values: its fields in their stated order, instants as milliseconds. Fields apart are left out. */
export function storedValues<K extends RecordKind>(
  kind: K,
  record: RecordOf[K],
  apart: readonly (keyof RecordOf[K] & string)[],
): unknown[] {
  const values = record as unknown as Record<string, unknown>
  return layoutOf(kind, apart).fields.map(({ name, type }) =>
    type === 'instant' && values[name] ? (values[name] as Date).getTime() : (values[name] ?? null),
  )
}

/** The same as text. */
export const encodeStored = <K extends RecordKind>(
  kind: K,
  record: RecordOf[K],
  apart: readonly (keyof RecordOf[K] & string)[],
): string => JSON.stringify(storedValues(kind, record, apart))

const FITS: { readonly [T in Field['type']]: (value: unknown) => boolean } = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  instant: (value) => typeof value === 'number' && Math.abs(value) <= MAX_INSTANT,
  json: (value) => typeof value === 'object' && value !== null,
  flag: () => false,
}

function revive(kind: string, { type, nullable }: Field, value: unknown): unknown {
  if (value === null || value === undefined) {
    if (nullable) return null
    throw wrong(kind)
  }
  if (!FITS[type](value)) throw wrong(kind)
  return type === 'instant' ? new Date(value as number) : value
}

/**
 * The record of some plain values.
 *
 * @param apart The fields that were left out, and the tenant.
 * @throws StorageError where they are something else; it does not quote them.
 */
export function fromStored<K extends RecordKind>(
  kind: K,
  values: unknown,
  apart: Readonly<Record<string, unknown>>,
): RecordOf[K] {
  const names = Object.keys(apart)
  const { fields, shape } = layoutOf(kind, names)
  if (!Array.isArray(values) || values.length !== fields.length) throw wrong(kind)
  const record = { ...shape }
  for (const name of names) record[name] = apart[name]
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as Field
    record[field.name] = revive(kind, field, values[i])
  }
  return record as unknown as RecordOf[K]
}

/** The record of a text that `encodeStored` made; see `fromStored`. */
export function decodeStored<K extends RecordKind>(
  kind: K,
  text: string,
  apart: Readonly<Record<string, unknown>>,
): RecordOf[K] {
  let values: unknown
  try {
    values = JSON.parse(text)
  } catch {
    // A JSON error quotes the text: it must not become the cause.
    throw wrong(kind)
  }
  return fromStored(kind, values, apart)
}
