import Database from 'better-sqlite3'
import type { Table } from '../../schema/column.js'
import { columnName } from '../../schema/dialect/naming.js'
import * as neutral from '../../schema/tables.js'
import type { BundledMigration } from '../../src/migrate/bundle.js'

/**
 * Runs every SQLite migration over filled tables, once as drizzle-kit does (inside BEGIN, where `PRAGMA foreign_keys` does
 * nothing, so that dropping a table deletes the rows that reference it) and once as our migrator does (keys off), and
 * says what was lost.
 */
export function lintSqlite(migrations: readonly BundledMigration[]): string[] {
  return migrations.flatMap((migration, i) => {
    const before = migrations.slice(0, i)
    const problems = [...probe(before, migration, 'ON'), ...probe(before, migration, 'OFF')]
    return [...new Set(problems)].map((p) => `sqlite/${migration.tag}: ${p}`)
  })
}

function probe(before: readonly BundledMigration[], migration: BundledMigration, foreignKeys: 'ON' | 'OFF'): string[] {
  const client = new Database(':memory:')
  try {
    client.pragma('foreign_keys = ON')
    for (const m of before) for (const s of m.statements) client.exec(s)
    fill(client)
    const rows = counts(client)
    const objects = attached(client)
    client.pragma(`foreign_keys = ${foreignKeys}`)
    client.exec('BEGIN')
    const failed = apply(client, migration)
    if (failed) return [failed]
    client.exec('COMMIT')
    const manner =
      foreignKeys === 'ON' ? 'drizzle-kit, which leaves foreign keys on' : 'our migrator, with foreign keys off'
    return [
      ...lost(client, rows).map(
        (t) =>
          `rows of ${t} are lost under ${manner}: save the table's children before, restore them after (INSERT OR IGNORE)`,
      ),
      ...vanished(client, objects, migration).map((o) => `${o} is gone with its table: make it again`),
      ...staleIndexes(client).map(
        (t) => `${t} no longer agrees with its table: end with INSERT INTO ${t}(${t}) VALUES ('rebuild')`,
      ),
      ...orphans(client),
    ]
  } finally {
    client.close()
  }
}

function apply(client: Database.Database, { statements }: BundledMigration): string | null {
  for (const [i, statement] of statements.entries()) {
    try {
      // Prepared, as drizzle-kit does: exec would run several statements without a breakpoint between.
      const prepared = client.prepare(statement)
      if (prepared.reader) prepared.all()
      else prepared.run()
    } catch (error) {
      const several = error instanceof RangeError
      return `statement ${i + 1} ${several ? 'is several or none: put a statement breakpoint between' : `fails over filled tables (${String((error as { code?: unknown }).code)})`}`
    }
  }
  return null
}

const tablesOf = (client: Database.Database): string[] =>
  client
    .prepare<[], { name: string }>(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_*'",
    )
    .all()
    .map((t) => t.name)

interface ColumnRow {
  readonly name: string
  readonly type: string
  readonly pk: number
}

/** The kinds of record that vectors and followers know; rows of each, so that the triggers which follow them have work. */
const kinds = ['message', 'memory', 'document']
const tables = Object.values<unknown>(neutral).filter(
  (t): t is Table => typeof t === 'object' && t !== null && 'columns' in t,
)
/** Triggers read some texts as JSON. */
const jsonColumns = new Set(
  tables.flatMap((t) =>
    Object.entries(t.columns)
      .filter(([, column]) => column.kind === 'json')
      .map(([name]) => columnName(name)),
  ),
)

/** A value of row `i`: all its texts are alike, so that every foreign key finds its parent and a vector its record. */
function literal({ name, type }: ColumnRow, i: number): string {
  if (/int|real|num/i.test(type)) return String(i + 1)
  if (/blob/i.test(type)) return `x'0${i}'`
  if (jsonColumns.has(name)) return `'${JSON.stringify(kinds)}'`
  // Memories stand in no conversation and no namespace.
  return name === 'scope' && kinds[i] === 'memory' ? "''" : `'${kinds[i]}'`
}

/** A row for each kind of record in every table. */
function fill(client: Database.Database): void {
  client.pragma('foreign_keys = OFF')
  for (const table of tablesOf(client)) {
    const columns = client.prepare<[string], ColumnRow>('SELECT name, type, pk FROM pragma_table_info(?)').all(table)
    const values = kinds.map((_, i) => `(${columns.map((c) => literal(c, i)).join(', ')})`).join(', ')
    client.exec(`INSERT OR IGNORE INTO "${table}" (${columns.map((c) => `"${c.name}"`).join(', ')}) VALUES ${values}`)
  }
  for (const t of fullTextTables(client)) client.exec(`INSERT INTO "${t}"("${t}") VALUES ('rebuild')`)
  client.pragma('foreign_keys = ON')
}

const counts = (client: Database.Database): Map<string, number> =>
  new Map(
    tablesOf(client).map((t) => [
      t,
      client.prepare<[], { n: number }>(`SELECT count(*) AS n FROM "${t}"`).get()?.n ?? 0,
    ]),
  )

function lost(client: Database.Database, before: ReadonlyMap<string, number>): string[] {
  return [...counts(client)].filter(([table, n]) => n < (before.get(table) ?? 0)).map(([table]) => table)
}

/** Triggers and named indexes by table. */
const attached = (client: Database.Database): Map<string, string> =>
  new Map(
    client
      .prepare<[], { type: string; name: string; table: string }>(
        `SELECT type, name, tbl_name AS "table" FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL`,
      )
      .all()
      .map((o) => [`${o.type} ${o.name}`, o.table]),
  )

/** What a DROP TABLE took along, unless the migration drops it by name. */
function vanished(
  client: Database.Database,
  before: ReadonlyMap<string, string>,
  { statements }: BundledMigration,
): string[] {
  const now = attached(client)
  const tables = new Set(tablesOf(client))
  const text = statements.join('\n').replace(/["`]/g, '')
  const named = (object: string) =>
    new RegExp(`\\bdrop ${object.replace(' ', '\\s+(if\\s+exists\\s+)?')}\\b`, 'i').test(text)
  return [...before]
    .filter(([object, table]) => !now.has(object) && tables.has(table) && !named(object))
    .map(([o]) => o)
}

const fullTextTables = (client: Database.Database): string[] =>
  client
    .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE sql LIKE 'create virtual table%using fts5(%'")
    .all()
    .map((t) => t.name)

function staleIndexes(client: Database.Database): string[] {
  return fullTextTables(client).filter((t) => {
    try {
      client.exec(`INSERT INTO "${t}"("${t}", rank) VALUES ('integrity-check', 1)`)
      return false
    } catch {
      return true
    }
  })
}

function orphans(client: Database.Database): string[] {
  try {
    return client.prepare('PRAGMA foreign_key_check').all().length > 0 ? ['rows are left without their parent'] : []
  } catch {
    return ['a foreign key is left without the unique key that it references']
  }
}
