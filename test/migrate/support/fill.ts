import type { Column, Table } from '../../../schema/column.js'
import { columnName } from '../../../schema/dialect/naming.js'
import * as neutral from '../../../schema/tables.js'
import type { Dialect, Row, TestDatabase } from './databases.js'

const isTable = (value: unknown): value is Table => typeof value === 'object' && value !== null && 'columns' in value

/** Every table, parents before their children. */
export const tables: readonly Table[] = Object.values<unknown>(neutral).filter(isTable)
export const rowsPerTable = 20

/** What the indexed text of a row begins with, and the index puts in front of each term. */
const TENANT_TOKEN = 'abcdefgh'
/** SQLite's index of sign bits over the vectors: kept by triggers, so that a migration can lose its rows. */
const BITS = 'bruno_embedding_bits'

/** The columns of each table. */
export type Columns = Readonly<Record<string, readonly string[]>>

/** Row `i` of a parent and row `i` of its children share their keys. */
function literal(dialect: Dialect, name: string, { kind, values }: Column, i: number): string {
  const text = (s: string) => `'${s}'`
  const pg = dialect === 'postgresql'
  const instant = new Date(1_700_000_000_000 + i)
  switch (kind) {
    case 'key':
      return text(name === 'tenantId' ? `tenant ${i % 3}` : `key ${i}`)
    case 'text':
      if (name === 'searchText') return text(`${TENANT_TOKEN} word word${i} ünïcode`)
      return text(values?.[i % values.length] ?? `word word${i} ünïcode ${'🦊'.repeat(i % 3)} ''quoted''`)
    case 'integer':
      return String(i)
    case 'real':
      return String(i / 7)
    case 'flag':
      return pg ? String(i % 2 === 0) : String(i % 2)
    case 'instant':
      return pg ? text(instant.toISOString()) : String(instant.getTime())
    case 'json':
      return text(JSON.stringify({ i, nested: [`value ${i}`, null, 0.1] }))
    case 'bytes':
      return pg ? `'\\x00ff${String(i).padStart(2, '0')}'` : `x'00ff${String(i).padStart(2, '0')}'`
    case 'seq':
      return String(1000 + i)
  }
}

/** Fills every table with rows that reference each other, and the indexes that no trigger fills. */
export async function fill(database: TestDatabase): Promise<void> {
  const present = await columnsOf(database)
  for (const table of tables) {
    const columns = Object.entries(table.columns).filter(([name]) => present[table.name]?.includes(columnName(name)))
    // A later migration makes it.
    if (columns.length === 0) continue
    const rows = Array.from({ length: rowsPerTable }, (_, i) =>
      columns
        .map(([name, c]) => (c.optional && i % 5 === 4 ? 'NULL' : literal(database.dialect, name, c, i)))
        .join(', '),
    )
    const names = columns.map(([name]) => `"${columnName(name)}"`).join(', ')
    await database.exec(`INSERT INTO "${table.name}" (${names}) VALUES ${rows.map((r) => `(${r})`).join(', ')}`)
  }
  if (present[BITS]) {
    await database.exec(`INSERT INTO ${BITS} (part, seq, record_seq, bits)
      SELECT part, seq, record_seq, x'0f' FROM bruno_embeddings`)
  }
  await indexed(database)
}

/** The columns that the schema names and the database has: those of an older version before an upgrade. */
export async function columnsOf(database: TestDatabase): Promise<Columns> {
  const all: Record<string, string[]> = {}
  for (const table of tables) {
    const present = await namesIn(database, table.name)
    const names = Object.keys(table.columns)
      .map(columnName)
      .filter((name) => present.includes(name))
    if (names.length > 0) all[table.name] = names
  }
  const bits = await namesIn(database, BITS)
  return bits.length > 0 ? { ...all, [BITS]: bits } : all
}

async function namesIn(database: TestDatabase, table: string): Promise<string[]> {
  const rows = await database.all(
    database.dialect === 'sqlite'
      ? `SELECT name FROM pragma_table_info('${table}')`
      : `SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '${table}'`,
  )
  return rows.map((row) => String(row.name))
}

/** Every row of every table, in the given columns; those of before an upgrade, where rows are compared across it. */
export async function dump(database: TestDatabase, columns?: Columns): Promise<Record<string, Row[]>> {
  const all: Record<string, Row[]> = {}
  for (const [table, names] of Object.entries(columns ?? (await columnsOf(database)))) {
    const key = tables.find((t) => t.name === table)?.key.map(columnName) ?? names
    const quoted = (list: readonly string[]) => list.map((name) => `"${name}"`).join(', ')
    all[table] = await database.all(`SELECT ${quoted(names)} FROM "${table}" ORDER BY ${quoted(key)}`)
  }
  return all
}

const searched = ['bruno_messages', 'bruno_memories', 'bruno_documents']

/** Rows that are inserted by hand are put into SQLite's search index by hand. */
async function indexed(database: TestDatabase): Promise<void> {
  if (database.dialect !== 'sqlite') return
  for (const table of searched.map((t) => `${t}_search`)) {
    const present = (await namesIn(database, table)).length > 0
    if (present) await database.exec(`INSERT INTO ${table}(${table}) VALUES ('rebuild')`)
  }
}

/** How many rows of each searched table the full-text index finds under a word that all of them have. */
export async function found(database: TestDatabase): Promise<number[]> {
  const counts: number[] = []
  for (const table of searched) {
    const [row] = await database.all(
      database.dialect === 'sqlite'
        ? `SELECT count(*) AS n FROM ${table}_search WHERE ${table}_search MATCH '${TENANT_TOKEN}word'`
        : `SELECT count(*)::int AS n FROM ${table} WHERE search_vector @@ to_tsquery('simple', '${TENANT_TOKEN}word')`,
    )
    counts.push(Number(row?.n))
    // Raises where the index and the table disagree.
    if (database.dialect === 'sqlite') {
      await database.exec(`INSERT INTO ${table}_search(${table}_search, rank) VALUES ('integrity-check', 1)`)
    }
  }
  return counts
}
