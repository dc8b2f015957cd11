import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'

const SPECIAL = /["\\]/
const ALL_SPECIAL = /["\\]/g

/** Values as one array in PostgreSQL's text form: the client would ask the server for its array types first. */
export function arrayOf(values: readonly unknown[]): string {
  let text = '{'
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (i > 0) text += ','
    if (value === null || value === undefined) text += 'NULL'
    else if (typeof value === 'string')
      text += SPECIAL.test(value) ? `"${value.replace(ALL_SPECIAL, '\\$&')}"` : `"${value}"`
    else text += String(value)
  }
  return `${text}}`
}

/** The type of a column without its collation, which a value takes from what it is compared with. */
export const typeOf = (column: AnySQLiteColumn): string => column.getSQLType().replace(/ COLLATE .*$/, '')

/** One column of some rows, encoded as the column is. */
export function columnOf(column: AnySQLiteColumn, rows: readonly Readonly<Record<string, unknown>>[], key: string) {
  const values = new Array<unknown>(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const value = rows[i]?.[key]
    values[i] = value === null || value === undefined ? null : column.mapToDriverValue(value)
  }
  return arrayOf(values)
}
