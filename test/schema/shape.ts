/** A table as both engines' catalogs can tell it, in words that mean the same in both. */
export interface Shape {
  /** Name → `kind null` or `kind not null`. */
  readonly columns: Readonly<Record<string, string>>
  readonly key: readonly string[]
  /** Name → `unique (a, b) where c is not null`. */
  readonly indexes: Readonly<Record<string, string>>
  /** `(a, b) → table (c, d) on delete cascade on update no action`. */
  readonly foreignKeys: readonly string[]
}
export type Shapes = Readonly<Record<string, Shape>>

export const describeIndex = (unique: boolean, columns: readonly string[], where: string | null): string =>
  `${unique ? 'unique ' : ''}(${columns.join(', ')})${where ? ` where ${where.replace(/["()]/g, '').toLowerCase()}` : ''}`

export interface Reference {
  readonly from: readonly string[]
  readonly table: string
  readonly to: readonly string[]
  readonly onDelete: string
  readonly onUpdate: string
}

export const describeReference = (r: Reference): string =>
  `(${r.from.join(', ')}) → ${r.table} (${r.to.join(', ')}) on delete ${r.onDelete} on update ${r.onUpdate}`.toLowerCase()
