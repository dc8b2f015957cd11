import type { Columns, Kind, Table } from '../../../schema/column.js'
import { columnName } from '../../../schema/dialect/naming.js'
import * as tables from '../../../schema/tables.js'
import { RECORD_KINDS, type RecordKind } from '../../model/records.js'

/** A column as a transfer moves it: text, a number, milliseconds of an instant, or the text of JSON. */
export interface Cell {
  readonly key: string
  readonly column: string
  readonly kind: Kind
  readonly optional: boolean
}

export interface Parent {
  readonly table: string
  /** The columns that name it, by their places, in the order of its key. */
  readonly named: readonly number[]
  readonly key: readonly string[]
}

/** The columns of a kind of records in their order, and where what matters of them stands. */
export interface Layout {
  readonly kind: RecordKind | 'operation'
  readonly table: string
  readonly cells: readonly Cell[]
  /** The logical key, by the columns' places. */
  readonly key: readonly number[]
  /** What a row names that must be there: a user, or a conversation. */
  readonly parent: Parent | null
  /** The place of a column, or -1. */
  at(key: string): number
}

const SPECS: { readonly [K in RecordKind]: Table<string, Columns> } = {
  user: tables.users,
  conversation: tables.conversations,
  message: tables.messages,
  session: tables.sessions,
  memory: tables.memories,
  document: tables.documents,
}

function layoutOf(kind: Layout['kind'], spec: Table<string, Columns>): Layout {
  const cells = Object.entries(spec.columns).map(([key, column]) => ({
    key,
    column: columnName(key),
    kind: column.kind,
    optional: column.optional,
  }))
  const places = new Map(cells.map(({ key }, i) => [key, i]))
  const at = (key: string): number => places.get(key) ?? -1
  const [foreign] = spec.foreignKeys
  const parent = foreign
    ? { table: foreign.references().name, named: foreign.on.map(at), key: foreign.to.map(columnName) }
    : null
  return { kind, table: spec.name, cells, key: spec.key.map(at), parent, at }
}

export const LAYOUTS = Object.fromEntries(
  RECORD_KINDS.map((kind) => [kind, layoutOf(kind, SPECS[kind])]),
) as unknown as {
  readonly [K in RecordKind]: Layout & { readonly kind: K }
}

/** What keeps operations from running twice: no records, moved with a memory that is in use. */
export const OPERATIONS: Layout = layoutOf('operation', tables.operations)

/** Where a record with a vector has its scope: a column, or nothing for a memory. */
export const SCOPE: { readonly [K in RecordKind]?: string | null } = {
  message: 'conversationId',
  memory: null,
  document: 'namespace',
}
