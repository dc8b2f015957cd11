import type { BuildColumns, ColumnBuilderBaseConfig } from 'drizzle-orm/column-builder'
import { sql } from 'drizzle-orm/sql/sql'
import { blob } from 'drizzle-orm/sqlite-core/columns/blob'
import type { AnySQLiteColumn, SQLiteColumnBuilderBase } from 'drizzle-orm/sqlite-core/columns/common'
import { integer } from 'drizzle-orm/sqlite-core/columns/integer'
import { real } from 'drizzle-orm/sqlite-core/columns/real'
import { text } from 'drizzle-orm/sqlite-core/columns/text'
import { foreignKey } from 'drizzle-orm/sqlite-core/foreign-keys'
import { index, uniqueIndex } from 'drizzle-orm/sqlite-core/indexes'
import { primaryKey } from 'drizzle-orm/sqlite-core/primary-keys'
import {
  type SQLiteTableExtraConfigValue,
  type SQLiteTableWithColumns,
  sqliteTable,
} from 'drizzle-orm/sqlite-core/table'
import type { Column, Columns, Kind, Sequence, Table } from '../column.js'
import { columnName, foreignKeyName, indexName, keyName } from './naming.js'

type Builder<C> =
  C extends Column<infer T, infer O, infer G>
    ? SQLiteColumnBuilderBase<
        ColumnBuilderBaseConfig<'custom', 'Neutral'> & { data: T; enumValues: undefined },
        { notNull: O extends true ? false : true; hasDefault: G; identity: undefined; generated: undefined }
      >
    : never
type Builders<C extends Columns> = { [K in keyof C]: Builder<C[K]> }
export type SqliteTable<N extends string, C extends Columns> = SQLiteTableWithColumns<{
  name: N
  schema: undefined
  columns: BuildColumns<N, Builders<C>, 'sqlite'>
  dialect: 'sqlite'
}>

/** The part of Drizzle's column builders that is used here; their full types differ per column. */
interface AnyBuilder {
  notNull(): AnyBuilder
}

const builders: Record<Kind, (name: string, column: Column) => AnyBuilder> = {
  key: (name) => text(name),
  text: (name, c) => text(name, c.values ? { enum: c.values as [string, ...string[]] } : {}),
  integer: (name) => integer(name),
  real: (name) => real(name),
  flag: (name) => integer(name, { mode: 'boolean' }),
  instant: (name) => integer(name, { mode: 'timestamp_ms' }),
  json: (name) => text(name, { mode: 'json' }),
  bytes: (name) => blob(name, { mode: 'buffer' }),
  // FTS5 refers to rows by rowid, which VACUUM keeps only where it is declared.
  seq: (name) => integer(name).primaryKey({ autoIncrement: true }),
}

type Built = Record<string, AnySQLiteColumn>
const built = new Map<Table, Built>()
const pick = (from: Built, keys: readonly string[]) =>
  keys.map((k) => from[k]) as [AnySQLiteColumn, ...AnySQLiteColumn[]]

function constraints(spec: Table, self: Built): SQLiteTableExtraConfigValue[] {
  const hasSeq = Object.values(spec.columns).some((c) => c.kind === 'seq')
  const on = pick(self, spec.key)
  return [
    hasSeq ? uniqueIndex(keyName(spec.name)).on(...on) : primaryKey({ name: keyName(spec.name), columns: on }),
    ...spec.foreignKeys.map((f) =>
      foreignKey({
        name: foreignKeyName(spec.name, f.name),
        columns: pick(self, f.on),
        foreignColumns: pick(built.get(f.references()) ?? {}, f.to),
      }).onDelete(f.onDelete),
    ),
    ...spec.indexes.map((i) => {
      const made = (i.unique ? uniqueIndex : index)(indexName(spec.name, i.name)).on(...pick(self, i.on))
      return i.whereNotNull ? made.where(sql`${sql.identifier(columnName(i.whereNotNull))} is not null`) : made
    }),
  ]
}

/** Builds the Drizzle SQLite table for a neutral one. */
export function toSqlite<N extends string, C extends Columns>(spec: Table<N, C>): SqliteTable<N, C> {
  const columns = Object.fromEntries(
    Object.entries(spec.columns).map(([key, c]) => {
      const b = builders[c.kind](columnName(key), c)
      return [key, c.optional || c.kind === 'seq' ? b : b.notNull()]
    }),
  )
  const made = sqliteTable(spec.name, columns as unknown as Record<string, SQLiteColumnBuilderBase>, (self) =>
    constraints(spec, self as unknown as Built),
  )
  built.set(spec, made as unknown as Built)
  return made as unknown as SqliteTable<N, C>
}

/** SQLite has no sequences: a table of one row, written inside the transaction that draws. */
export const toSqliteSequence = (spec: Sequence) => sqliteTable(spec.name, { value: integer('value').notNull() })
