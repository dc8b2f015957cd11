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
/** Columns that a later version added and fills by itself. */
const LATER: Readonly<Record<string, readonly string[]>> = { bruno_embeddings: ['seq', 'record_seq', 'part'] }

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

/** Fills every table with rows that reference each other. */
export async function fill(database: TestDatabase): Promise<void> {
  for (const table of tables) {
    const present = await columnsOf(database, table.name)
    const columns = Object.entries(table.columns).filter(([name]) => present.has(columnName(name)))
    const rows = Array.from({ length: rowsPerTable }, (_, i) =>
      columns
        .map(([name, c]) => (c.optional && i % 5 === 4 ? 'NULL' : literal(database.dialect, name, c, i)))
        .join(', '),
    )
    const names = columns.map(([name]) => `"${columnName(name)}"`).join(', ')
    await database.exec(`INSERT INTO "${table.name}" (${names}) VALUES ${rows.map((r) => `(${r})`).join(', ')}`)
  }
}

async function columnsOf(database: TestDatabase, table: string): Promise<ReadonlySet<string>> {
  const rows = await database.all(
    database.dialect === 'sqlite'
      ? `SELECT name FROM pragma_table_info('${table}')`
      : `SELECT column_name AS name FROM information_schema.columns WHERE table_name = '${table}'`,
  )
  return new Set(rows.map((row) => String(row.name)))
}

/** Every row of every table, in the columns that the schema names and the table has; what is null is left out. */
export async function dump(database: TestDatabase): Promise<Record<string, Row[]>> {
  const all: Record<string, Row[]> = {}
  for (const table of tables) {
    const present = await columnsOf(database, table.name)
    const names = Object.keys(table.columns)
      .map(columnName)
      .filter((name) => present.has(name) && !LATER[table.name]?.includes(name))
      .map((name) => `"${name}"`)
    const order = table.key.map((name) => `"${columnName(name)}"`)
    const rows = await database.all(`SELECT ${names.join(', ')} FROM "${table.name}" ORDER BY ${order.join(', ')}`)
    all[table.name] = rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, v]) => v !== null)))
  }
  return all
}

/** How many rows of each searched table the full-text index finds under a word that all of them have. */
export async function found(database: TestDatabase): Promise<number[]> {
  const counts: number[] = []
  for (const table of ['bruno_messages', 'bruno_memories', 'bruno_documents']) {
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
