/**
 * Dialect-neutral descriptors of columns, keys and tables: the one place where a column's meaning is stated.
 * `schema/dialect/*` turns them into Drizzle tables whose row types are equal in SQLite and PostgreSQL.
 */
export type Kind = 'key' | 'text' | 'integer' | 'real' | 'flag' | 'instant' | 'json' | 'bytes' | 'seq'

export interface Column<T = unknown, Optional extends boolean = boolean, Generated extends boolean = boolean> {
  readonly kind: Kind
  readonly optional: Optional
  readonly generated: Generated
  readonly values?: readonly string[]
  /** Carries the TypeScript type only; never set. */
  readonly type?: T
}

export type Columns = Readonly<Record<string, Column>>

export interface Index<K extends string = string> {
  readonly name: string
  readonly on: readonly K[]
  readonly unique?: true
  /** A partial index over the rows in which this column is not null. */
  readonly whereNotNull?: K
}

export interface ForeignKey<K extends string = string> {
  readonly name: string
  readonly on: readonly K[]
  readonly references: () => Table
  /** Columns of the referenced table's key, in the order of `on`. */
  readonly to: readonly string[]
  readonly onDelete: 'cascade' | 'restrict'
}

export interface Constraints<K extends string = string> {
  /** The logical key. With a `seq` column it is a unique key in SQLite, where `seq` has to be the rowid. */
  readonly key: readonly K[]
  readonly indexes?: readonly Index<K>[]
  readonly foreignKeys?: readonly ForeignKey<K>[]
}

export interface Table<N extends string = string, C extends Columns = Columns> {
  readonly name: N
  readonly columns: C
  readonly key: readonly string[]
  readonly indexes: readonly Index[]
  readonly foreignKeys: readonly ForeignKey[]
}

type ValueOf<C> = C extends Column<infer V, infer O, boolean> ? (O extends true ? V | null : V) : never

/** The row a table yields, the same under every dialect. */
export type Row<T extends Table> = { [K in keyof T['columns']]: ValueOf<T['columns'][K]> }

type Required<T> = Column<T, false, false>
const column = <T>(kind: Kind, extra: object = {}): Required<T> => ({
  kind,
  optional: false,
  generated: false,
  ...extra,
})

/** An id or other key part, compared bytewise in both dialects. */
export const key = (): Required<string> => column('key')
export const text = (): Required<string> => column('text')
/** A safe integer (64 bits at rest). */
export const integer = (): Required<number> => column('integer')
export const real = (): Required<number> => column('real')
export const flag = (): Required<boolean> => column('flag')
/** A UTC instant in milliseconds. */
export const instant = (): Required<Date> => column('instant')
export const json = <T>(): Required<T> => column('json')
export const bytes = (): Required<Buffer> => column('bytes')
/** The row's own number, drawn by the engine: SQLite's rowid, an identity in PostgreSQL. */
export const seq = (): Column<number, false, true> => ({ kind: 'seq', optional: false, generated: true })
export const oneOf = <const V extends readonly string[]>(...values: V): Required<V[number]> =>
  column('text', { values })
export const optional = <T>(c: Required<T>): Column<T, true, false> => ({ ...c, optional: true })

export function table<N extends string, C extends Columns>(
  name: N,
  columns: C,
  constraints: Constraints<keyof C & string>,
): Table<N, C> {
  return {
    name,
    columns,
    key: constraints.key,
    indexes: constraints.indexes ?? [],
    foreignKeys: constraints.foreignKeys ?? [],
  }
}

/** A store-wide counter: a sequence in PostgreSQL, a table of one row in SQLite. */
export interface Sequence<N extends string = string> {
  readonly name: N
}
export const sequence = <N extends string>(name: N): Sequence<N> => ({ name })
