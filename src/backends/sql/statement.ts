import { Column } from 'drizzle-orm/column'
import { is } from 'drizzle-orm/entity'
import { Param, Placeholder, type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import { StorageError } from '../../errors.js'
import type { JsonObject } from '../../model/records.js'

/** Values by placeholder name, as records hold them: a column's encoder makes them the engine's. */
export type Values = Readonly<Record<string, unknown>>

/** A value computed in SQL, with the way back. */
export interface Computed<T> {
  readonly sql: SQL
  readonly decode: (value: unknown) => T
}
export type Selection = Readonly<Record<string, AnySQLiteColumn | Computed<unknown>>>
/** The rows that a selection yields. */
export type Selected<S extends Selection> = {
  -readonly [K in keyof S]: S[K] extends Computed<infer T>
    ? T
    : S[K] extends AnySQLiteColumn
      ? S[K]['_']['notNull'] extends true
        ? S[K]['_']['data']
        : S[K]['_']['data'] | null
      : never
}

/** Sums and counts: a string in PostgreSQL, where they may exceed what a number holds. */
export const count = (query: SQL): Computed<number> => ({ sql: query, decode: (value) => Number(value ?? 0) })

type Encode = (value: unknown) => unknown
interface Slot {
  readonly name: string | null
  readonly constant: unknown
  readonly encode: Encode | null
}
interface Cell {
  readonly key: string
  readonly decode: ((value: unknown) => unknown) | null
  /** Whether a value of the type needs no decoding. */
  readonly plain: boolean
  /** What a value that needs no decoding must be, whoever wrote it. */
  readonly type: string
  /** The same for a decoded one. */
  readonly valid: (value: unknown) => boolean
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isInstant = (value: unknown): boolean => !Number.isNaN((value as Date).getTime())
const JSON_SHAPES: Readonly<Record<string, Cell['valid']>> = {
  tags: isTexts,
  relatedIds: isTexts,
  parts: Array.isArray,
  records: Array.isArray,
}
const anything = (): boolean => true

/** SQL text made once, with the way in for its values and the way out for its rows. */
export interface Statement<R> {
  readonly text: string
  /** Whether it has a placeholder for the revision, which the session draws. */
  readonly drawsRevision: boolean
  readonly returns: boolean
  /** The revision stands beside the values, which need not be copied for it. */
  bind(values: Values, revision?: number): unknown[]
  decode(row: readonly unknown[]): R
}

export const REVISION = 'revision'
/** Shared by all records without metadata, so it must not be changed by anyone. */
export const EMPTY: JsonObject = Object.freeze({})

const mapping = (source: object): Encode | null => {
  const map = (source as { mapToDriverValue?: Encode }).mapToDriverValue
  if (!map || map === Column.prototype.mapToDriverValue) return null
  const encode = map.bind(source)
  // Nearly every record has an empty `metadata`.
  return (source as { dataType?: string }).dataType === 'json'
    ? (value) => (value === EMPTY ? '{}' : encode(value))
    : encode
}

function slotOf(param: unknown): Slot {
  if (is(param, Placeholder)) return { name: param.name, constant: undefined, encode: null }
  if (is(param, Param)) {
    const encode = mapping(param.encoder)
    if (is(param.value, Placeholder)) return { name: param.value.name, constant: undefined, encode }
    return { name: null, constant: encode && param.value !== null ? encode(param.value) : param.value, encode: null }
  }
  return { name: null, constant: param, encode: null }
}

function cellOf([key, source]: [string, Selection[string]]): Cell {
  if (!is(source, Column))
    return { key, decode: (source as Computed<unknown>).decode, plain: false, type: '', valid: anything }
  const { dataType, mapFromDriverValue: own } = source
  const decode = own === Column.prototype.mapFromDriverValue ? null : own.bind(source)
  // Drizzle gives these a decoder that changes nothing where the client has made the value already.
  const plain = decode === null || dataType === 'number' || dataType === 'custom'
  const valid = dataType === 'json' ? (JSON_SHAPES[key] ?? isObject) : dataType === 'date' ? isInstant : anything
  return { key, decode, plain, type: dataType === 'custom' ? 'string' : dataType, valid }
}

function decodeRow<R>(cells: readonly Cell[], row: readonly unknown[]): R {
  const record: Record<string, unknown> = {}
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i] as Cell
    const value = row[i]
    record[cell.key] = value === null || (cell.plain && typeof value === cell.type) ? value : decodeCell(cell, value)
  }
  return record as R
}

function decodeCell(cell: Cell, value: unknown): unknown {
  try {
    const decoded = cell.decode?.(value)
    if (decoded !== undefined && cell.valid(decoded)) return decoded
  } catch {
    // A JSON error quotes the text: it must not become the cause.
  }
  throw new StorageError(`the stored value of "${cell.key}" cannot be read`)
}

function bindValues(slots: readonly Slot[], values: Values, revision: number | undefined): unknown[] {
  const bound = new Array<unknown>(slots.length)
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as Slot
    if (slot.name === null) bound[i] = slot.constant
    else {
      const value = slot.name === REVISION ? revision : values[slot.name]
      bound[i] = value === undefined || value === null ? null : slot.encode === null ? value : slot.encode(value)
    }
  }
  return bound
}

class LazyStatement<R> implements Statement<R> {
  #made: { text: string; slots: readonly Slot[] } | null = null
  readonly #cells: readonly Cell[]
  readonly returns: boolean

  constructor(
    readonly build: () => { sql: string; params: unknown[] },
    selection: Selection | null,
  ) {
    this.#cells = Object.entries(selection ?? {}).map(cellOf)
    this.returns = selection !== null
  }

  #make(): { text: string; slots: readonly Slot[] } {
    if (this.#made === null) {
      const query = this.build()
      this.#made = { text: query.sql, slots: query.params.map(slotOf) }
    }
    return this.#made
  }

  get text(): string {
    return this.#make().text
  }

  get drawsRevision(): boolean {
    return this.#make().slots.some((slot) => slot.name === REVISION)
  }

  bind(values: Values, revision?: number): unknown[] {
    return bindValues(this.#make().slots, values, revision)
  }

  decode(row: readonly unknown[]): R {
    return decodeRow<R>(this.#cells, row)
  }
}

/** A statement whose text and parameters the dialect makes at its first use. */
export const makeStatement = <R>(
  build: () => { sql: string; params: unknown[] },
  selection: Selection | null,
): Statement<R> => new LazyStatement<R>(build, selection)

/** A placeholder as it is. */
export const value = (name: string): SQL => sql`${sql.placeholder(name)}`
/** A placeholder whose value is encoded as this column's. */
export const bind = (column: AnySQLiteColumn, name: string): SQL => sql`${sql.param(sql.placeholder(name), column)}`
/** The columns of a selection, in its order. */
export const list = (selection: Selection): SQL =>
  sql.join(
    Object.values(selection).map((s) => (is(s, Column) ? sql`${s}` : (s as Computed<unknown>).sql)),
    sql`, `,
  )
/** A column's bare name, where a qualified one is not allowed. */
export const bare = (column: AnySQLiteColumn): SQL => sql`${sql.identifier(column.name)}`
