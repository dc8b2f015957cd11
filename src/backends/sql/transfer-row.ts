import type { Carried, CarriedVector } from '../../contract/transfer.js'
import { type Field, RECORD_FIELDS, type RecordOf } from '../../model/fields.js'
import type { RecordKind } from '../../model/records.js'
import { type Cell, LAYOUTS, type Layout } from './transfer-layout.js'

/** The values of a row in the order of its layout; what a row of this store does not know is undefined. */
export type Row = readonly unknown[]

const LISTS = new Set(['tags', 'relatedIds', 'parts'])
const MAX_INSTANT = 253_402_300_799_999
const MIN_INSTANT = -62_135_596_800_000

function textFault(value: unknown): string | null {
  if (typeof value !== 'string') return 'must be text'
  if (value.includes('\0')) return 'must not contain NUL'
  return value.isWellFormed() ? null : 'must be well-formed Unicode'
}

/** An escaped NUL; behind an even number of backslashes it is one that is spelled out. */
const NUL = /(?<!\\)(?:\\\\)*\\u0000/

function jsonFault(cell: Cell, value: unknown): string | null {
  if (value === (LISTS.has(cell.key) ? '[]' : '{}')) return null
  const fault = textFault(value)
  if (fault) return fault
  let parsed: unknown
  try {
    parsed = JSON.parse(value as string)
  } catch {
    return 'is not JSON'
  }
  if (NUL.test(value as string)) return 'must not contain NUL'
  if (!isWellFormedJson(value as string)) return 'must be well-formed Unicode'
  const fits = LISTS.has(cell.key) ? Array.isArray(parsed) : isObject(parsed)
  return fits ? null : `must be ${LISTS.has(cell.key) ? 'a list' : 'an object'}`
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Escaped halves of surrogate pairs are well-formed as text, and no text when they are read. */
function isWellFormedJson(text: string): boolean {
  if (!/\\u[dD][89a-fA-F]/.test(text)) return true
  let fine = true
  const look = (_: string, value: unknown): unknown => {
    if (typeof value === 'string' && !value.isWellFormed()) fine = false
    if (isObject(value) && Object.keys(value as object).some((key) => !key.isWellFormed())) fine = false
    return value
  }
  JSON.parse(text, look)
  return fine
}

function cellFault(cell: Cell, value: unknown): string | null {
  if (value === null) return cell.optional ? null : 'must not be null'
  switch (cell.kind) {
    case 'key': {
      const fault = textFault(value)
      return fault ?? (Buffer.byteLength(value as string) > 255 ? 'must be at most 255 bytes' : null)
    }
    case 'text':
      return textFault(value)
    case 'json':
      return jsonFault(cell, value)
    case 'real':
      return typeof value === 'number' && Number.isFinite(value) ? null : 'must be a finite number'
    case 'instant':
      return Number.isSafeInteger(value) && (value as number) <= MAX_INSTANT && (value as number) >= MIN_INSTANT
        ? null
        : 'must be an instant of the years 1 to 9999'
    default:
      return Number.isSafeInteger(value) ? null : 'must be a safe integer'
  }
}

/** Why what is stored is no record: the field and the rule. */
export function faultOf(layout: Layout, row: Row): string | null {
  const { cells } = layout
  for (let i = 0; i < cells.length; i++) {
    const value = row[i]
    if (value === undefined) continue
    const fault = cellFault(cells[i] as Cell, value)
    if (fault) return `${(cells[i] as Cell).key}: ${fault}`
  }
  return null
}

interface Place {
  readonly field: Field
  readonly at: number
}

const PLACES = Object.fromEntries(
  Object.values(LAYOUTS).map(({ kind, at }) => [
    kind,
    (RECORD_FIELDS[kind] as readonly Field[]).map((field) => ({ field, at: at(field.name) })),
  ]),
) as unknown as { readonly [K in RecordKind]: readonly Place[] }

const SHAPES = Object.fromEntries(
  Object.entries(RECORD_FIELDS).map(([kind, fields]) => [
    kind,
    Object.fromEntries((fields as readonly Field[]).map(({ name }) => [name, null])),
  ]),
) as unknown as { readonly [K in RecordKind]: Readonly<Record<string, null>> }

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(text as string)
  } catch {
    // A row at fault is shown as far as it can be.
    return null
  }
}

/** The record of a row. */
export function recordOf<K extends RecordKind>(kind: K, row: Row): RecordOf[K] {
  const record: Record<string, unknown> = { ...SHAPES[kind] }
  for (const { field, at } of PLACES[kind]) {
    const value = row[at]
    if (value === null || value === undefined) continue
    record[field.name] =
      field.type === 'json' ? parsed(value) : field.type === 'instant' ? new Date(value as number) : value
  }
  return record as unknown as RecordOf[K]
}

const jsonText = (value: unknown): string => JSON.stringify(value)

/** The row of a record; what only tables know is undefined. */
export function rowOf<K extends RecordKind>(kind: K, record: RecordOf[K]): unknown[] {
  const layout = LAYOUTS[kind]
  const values = record as unknown as Readonly<Record<string, unknown>>
  const row = new Array<unknown>(layout.cells.length).fill(undefined)
  for (const { field, at } of PLACES[kind]) {
    const value = values[field.name] ?? null
    row[at] =
      value === null
        ? null
        : field.type === 'json'
          ? jsonText(value)
          : field.type === 'instant'
            ? (value as Date).getTime()
            : value
  }
  return row
}

/** A row on its way. Its record is made when somebody looks at it: stores with the same tables do not. */
export class CarriedRow {
  #record: unknown
  readonly fault: string | undefined
  constructor(
    readonly kind: RecordKind,
    readonly row: Row,
    readonly vector: CarriedVector | null,
    readonly holder: string | undefined,
    fault: string | null,
  ) {
    this.fault = fault ?? undefined
  }

  get record(): unknown {
    this.#record ??= recordOf(this.kind, this.row)
    return this.#record
  }
}

export const carriedRow = (
  kind: RecordKind,
  row: Row,
  more: { readonly vector: CarriedVector | null; readonly holder?: string | undefined; readonly fault: string | null },
): Carried => new CarriedRow(kind, row, more.vector, more.holder, more.fault) as unknown as Carried
