import type { BuildColumns, ColumnBuilderBaseConfig } from 'drizzle-orm/column-builder'
import {
  type AnyPgColumn,
  bigint,
  boolean,
  customType,
  doublePrecision,
  foreignKey,
  index,
  jsonb,
  type PgColumnBuilderBase,
  type PgTableExtraConfigValue,
  type PgTableWithColumns,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm/sql/sql'
import type { Column, Columns, Kind, Sequence, Table } from '../column.js'
import { columnName, foreignKeyName, indexName, keyName } from './naming.js'

type Builder<C> =
  C extends Column<infer T, infer O, infer G>
    ? PgColumnBuilderBase<
        ColumnBuilderBaseConfig<'custom', 'Neutral'> & { data: T; enumValues: undefined },
        { notNull: O extends true ? false : true; hasDefault: G; identity: undefined; generated: undefined }
      >
    : never
type Builders<C extends Columns> = { [K in keyof C]: Builder<C[K]> }
export type PostgresqlTable<N extends string, C extends Columns> = PgTableWithColumns<{
  name: N
  schema: undefined
  columns: BuildColumns<N, Builders<C>, 'pg'>
  dialect: 'pg'
}>

/** The part of Drizzle's column builders that is used here; their full types differ per column. */
interface AnyBuilder {
  notNull(): AnyBuilder
}

// The database's own collation orders by language and changes with the C library; ids are compared bytewise.
const bytewise = customType<{ data: string; driverData: string }>({ dataType: () => 'text COLLATE "C"' })
const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })

const builders: Record<Kind, (name: string, column: Column) => AnyBuilder> = {
  key: (name) => bytewise(name),
  text: (name, c) => text(name, c.values ? { enum: c.values as [string, ...string[]] } : {}),
  integer: (name) => bigint(name, { mode: 'number' }),
  real: (name) => doublePrecision(name),
  flag: (name) => boolean(name),
  instant: (name) => timestamp(name, { withTimezone: true, precision: 3 }),
  json: (name) => jsonb(name),
  bytes: (name) => bytea(name),
  seq: (name) => bigint(name, { mode: 'number' }).generatedByDefaultAsIdentity(),
}

type Built = Record<string, AnyPgColumn>
const built = new Map<Table, Built>()
const pick = (from: Built, keys: readonly string[]) => keys.map((k) => from[k]) as [AnyPgColumn, ...AnyPgColumn[]]

function constraints(spec: Table, self: Built): PgTableExtraConfigValue[] {
  return [
    primaryKey({ name: keyName(spec.name), columns: pick(self, spec.key) }),
    ...spec.foreignKeys.map((f) =>
      foreignKey({
        name: foreignKeyName(spec.name, f.name),
        columns: pick(self, f.on),
        foreignColumns: pick(built.get(f.references()) ?? {}, f.to),
      }).onDelete(f.onDelete),
    ),
    // SQLite has its rows in this order by themselves. Behind the tenant, as everything is.
    ...(self.seq ? [uniqueIndex(indexName(spec.name, 'seq')).on(...pick(self, ['tenantId', 'seq']))] : []),
    ...spec.indexes.map((i) => {
      const made = (i.unique ? uniqueIndex : index)(indexName(spec.name, i.name)).on(...pick(self, i.on))
      return i.whereNotNull ? made.where(sql`${sql.identifier(columnName(i.whereNotNull))} is not null`) : made
    }),
  ]
}

/** Builds the Drizzle PostgreSQL table for a neutral one. */
export function toPostgresql<N extends string, C extends Columns>(spec: Table<N, C>): PostgresqlTable<N, C> {
  const columns = Object.fromEntries(
    Object.entries(spec.columns).map(([key, c]) => {
      const b = builders[c.kind](columnName(key), c)
      return [key, c.optional ? b : b.notNull()]
    }),
  )
  const made = pgTable(spec.name, columns as unknown as Record<string, PgColumnBuilderBase>, (self) =>
    constraints(spec, self as unknown as Built),
  )
  built.set(spec, made as unknown as Built)
  return made as unknown as PostgresqlTable<N, C>
}

export const toPostgresqlSequence = (spec: Sequence) => pgSequence(spec.name)
