import { named, openReader } from '../backends/sqlite/open.js'
import { ConfigurationError, StorageError } from '../errors.js'
import { parseInstant, parseJson } from './text.js'

type Client = Awaited<ReturnType<typeof openReader>>
export type Row = Readonly<Record<string, unknown>>

/** What a format needs of an SQLite file. */
export interface Layout {
  /** Such as `the file of a Mastra LibSQL store`. */
  readonly what: string
  /** Whose files have these tables. */
  readonly from: string
  /** One of these tables, with this column, tells the format. */
  readonly marks: Readonly<Record<string, string>>
  /** Tables that must stand in it beside those. */
  readonly needs?: readonly string[]
  /** Tables that may stand in it, and the columns that are read of each. */
  readonly columns: Readonly<Record<string, readonly string[]>>
}

/** Another program's SQLite file, opened to be read only, as it stood when it was opened. */
export class SqliteFile {
  readonly tables: ReadonlyMap<string, ReadonlySet<string>>

  private constructor(
    readonly path: string,
    readonly client: Client,
  ) {
    const columns = client.prepare<[], { name: string; field: string }>(
      "SELECT m.name, p.name AS field FROM sqlite_schema m, pragma_table_xinfo(m.name) p WHERE m.type = 'table'",
    )
    const tables = new Map<string, Set<string>>()
    for (const { name, field } of columns.all()) tables.set(name, (tables.get(name) ?? new Set()).add(field))
    this.tables = tables
  }

  static async open(path: string): Promise<SqliteFile> {
    const client = await openReader({ databasePath: path, durability: 'process', busyTimeout: 1000 })
    try {
      // One view of the file for all that is read, whatever its owner writes meanwhile.
      client.exec('BEGIN')
      return new SqliteFile(path, client)
    } catch (error) {
      client.close()
      throw unreadableDatabase(path, error)
    }
  }

  *rows(sql: string, ...values: readonly unknown[]): Generator<Row> {
    try {
      yield* this.client.prepare<unknown[], Row>(sql).iterate(...values)
    } catch (error) {
      throw unreadableDatabase(this.path, error)
    }
  }

  count(table: string, where = 'TRUE'): number {
    const [row] = this.rows(`SELECT count(*) AS n FROM ${quoted(table)} WHERE ${where}`)
    return Number(row?.n ?? 0)
  }

  close(): void {
    this.client.close()
  }
}

/** The store's own errors speak of `doctor`, which knows nothing of other programs' files. */
function unreadableDatabase(path: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'SQLITE_NOTADB')
    return new ConfigurationError(`${path} is no SQLite file, or its beginning is damaged`, { cause: error })
  if (code.startsWith('SQLITE_CORRUPT'))
    return new StorageError(`${path} is a damaged SQLite file (${code})`, { cause: error })
  return named(path, error)
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A column with JSON in text or, as newer stores keep it, in SQLite's binary form: as text. */
export const jsonColumn = (name: string): string =>
  `CASE WHEN typeof("${name}") = 'blob' AND json_valid("${name}", 8) THEN json("${name}") ELSE "${name}" END AS "${name}"`

export const isOf = (file: SqliteFile, { marks }: Layout): boolean =>
  Object.entries(marks).some(([table, column]) => file.tables.get(table)?.has(column))
export const marksOf = ({ marks }: Layout): string => Object.keys(marks).join(' or ')

/** Refuses a file in which a table or column is missing, and names it. */
export function checkLayout(file: SqliteFile, layout: Layout): void {
  const { what, from, needs = [], columns } = layout
  const about = `${file.path} is not ${what} in a layout that is known`
  if (!isOf(file, layout)) {
    const has = [...file.tables.keys()].filter((name) => !name.startsWith('sqlite_')).slice(0, 8)
    const found = has.length > 0 ? `it holds ${has.join(', ')}` : 'it holds no table'
    throw new ConfigurationError(`${about}: expected a table ${marksOf(layout)} (${from}); ${found}`)
  }
  const lacks = needs.filter((table) => !file.tables.has(table))
  if (lacks.length > 0) throw new ConfigurationError(`${about}: it has no table ${lacks.join(', ')} (${from})`)
  for (const [table, names] of Object.entries(columns)) {
    const found = file.tables.get(table)
    const missing = found && names.filter((name) => !found.has(name))
    if (missing && missing.length > 0)
      throw new ConfigurationError(`${about}: table ${table} has no column ${missing.join(', ')} (${from})`)
  }
}

/** The text of a cell: of a blob, its bytes as UTF-8. */
export const cellText = (value: unknown): string | null =>
  typeof value === 'string' ? value : Buffer.isBuffer(value) ? value.toString() : null

/** The JSON in a cell; undefined where there is none. */
export function cellJson(value: unknown, field: string): unknown {
  if (value === null || value === undefined) return undefined
  return parseJson(Buffer.isBuffer(value) ? value : Buffer.from(String(value)), field)
}

const WITHOUT_OFFSET = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?$/

/** An instant in a cell. SQLite's own, which have no offset, are in UTC. */
export function cellInstant(value: unknown, field: string): Date | undefined {
  if (value === null || value === undefined || value === '') return undefined
  return parseInstant(typeof value === 'string' && WITHOUT_OFFSET.test(value) ? `${value}Z` : value, field)
}

/** What a reader finds in a file, which is open for as long as it is read. */
export async function* readSqlite<T>(path: string, read: (file: SqliteFile) => Iterable<T>): AsyncGenerator<T> {
  const file = await SqliteFile.open(path)
  try {
    yield* read(file)
  } finally {
    file.close()
  }
}
