import type Database from 'better-sqlite3'
import { journalTable } from '../../migrate/bundle.js'
import type { Catalog } from '../../migrate/catalog.js'

interface Master {
  readonly type: 'table' | 'index' | 'trigger' | 'view'
  readonly name: string
  readonly table: string
  readonly sql: string | null
}
interface ColumnRow {
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly default: string | null
  readonly pk: number
  readonly hidden: number
}
interface ForeignKeyRow {
  readonly id: number
  readonly table: string
  readonly from: string
  readonly to: string | null
  readonly onUpdate: string
  readonly onDelete: string
}

// Triggers of a move under way are no part of the schema.
// `_` is a wildcard of LIKE: GLOB takes it as it stands.
const masterSql = `SELECT m.type, m.name, m.tbl_name AS "table", m.sql FROM sqlite_master m
  WHERE m.tbl_name GLOB 'bruno_*' AND m.tbl_name <> '${journalTable}'
    AND NOT (m.type = 'trigger' AND m.name GLOB 'bruno_transfer_*')
    AND NOT EXISTS (SELECT 1 FROM pragma_table_list t WHERE t.schema = 'main' AND t.name = m.tbl_name AND t.type = 'shadow')`
const columnsSql = 'SELECT name, type, "notnull", dflt_value AS "default", pk, hidden FROM pragma_table_xinfo(?)'
const indexesSql = 'SELECT name, "unique", origin FROM pragma_index_list(?)'
const indexColumnsSql = 'SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno'
const foreignKeysSql = `SELECT id, "table", "from", "to", on_update AS "onUpdate", on_delete AS "onDelete"
  FROM pragma_foreign_key_list(?) ORDER BY id, seq`

/** The connection may be set to answer BigInt. */
const rows = <Row>(client: Database.Database, sql: string, ...names: string[]): Row[] =>
  client
    .prepare<string[], Row>(sql)
    .safeIntegers(false)
    .all(...names)

/** Text of the same meaning reads the same: a rename rewrites quotes, people write keywords and spaces as they like. */
const normal = (sql: string): string =>
  sql
    .split(/('(?:[^']|'')*')/)
    .map((part, i) =>
      i % 2 === 1
        ? part
        : part
            .replace(/[`"[\]]/g, '')
            .replace(/\s+/g, ' ')
            .toLowerCase(),
    )
    .join('')
    .trim()

/** The catalog of a SQLite database, as far as it is ours: tables named `bruno_…` and what hangs on them. */
export function sqliteCatalog(client: Database.Database): Catalog {
  const catalog = new Map<string, string>()
  const master = rows<Master>(client, masterSql)
  // Vector indexes are made when a space is opened, outside the migrations.
  const vectors = master.filter((m) => /\bUSING vec0\b/i.test(m.sql ?? '')).map((m) => m.name)
  for (const m of master) {
    if (vectors.some((v) => m.table === v || m.table.startsWith(`${v}_`))) continue
    if (m.type === 'table') table(client, catalog, m)
    else if (m.type === 'index') index(client, catalog, m)
    else catalog.set(`${m.type} ${m.table}.${m.name}`, normal(m.sql ?? ''))
  }
  return catalog
}

function table(client: Database.Database, catalog: Map<string, string>, { name, sql }: Master): void {
  const text = normal(sql ?? '')
  if (/^create virtual table/i.test(text)) return void catalog.set(`full-text table ${name}`, text)
  const columns = rows<ColumnRow>(client, columnsSql, name)
  catalog.set(`table ${name}`, ['table', ...options(text), ...checks(text)].join(' '))
  for (const c of columns) catalog.set(`column ${name}.${c.name}`, describeColumn(c))
  const key = columns.filter((c) => c.pk > 0).sort((a, b) => a.pk - b.pk)
  if (key.length > 0) catalog.set(`primary key ${name}.`, key.map((c) => c.name).join(', '))
  uniqueKeys(client, catalog, name)
  foreignKeys(client, catalog, name)
}

const describeColumn = (c: ColumnRow): string =>
  [
    c.type.toLowerCase(),
    c.notnull ? 'not null' : 'null',
    ...(c.default === null ? [] : [`default ${c.default}`]),
    ...(c.hidden > 0 ? ['generated'] : []),
  ].join(' ')

const options = (text: string): string[] =>
  [/\bautoincrement\b/i, /\bwithout rowid\b/i, /\bstrict\b/i].flatMap((o) => o.exec(text)?.[0].toLowerCase() ?? [])

/** Checks stand in no pragma; their text does. */
function checks(text: string): string[] {
  return [...text.matchAll(/\bcheck\s*\(/gi)].map(({ index: start }) => {
    let depth = 0
    for (let i = text.indexOf('(', start); i < text.length; i++) {
      if (text[i] === '(') depth++
      else if (text[i] === ')' && --depth === 0) return text.slice(start, i + 1)
    }
    return text.slice(start)
  })
}

/** Keys that a CREATE TABLE states have an index without a text and without a name of their own. */
function uniqueKeys(client: Database.Database, catalog: Map<string, string>, name: string): void {
  for (const { name: index, origin } of rows<{ name: string; origin: string }>(client, indexesSql, name)) {
    if (origin === 'u') catalog.set(`unique key ${name}.(${indexColumns(client, index)})`, 'unique')
  }
}

const indexColumns = (client: Database.Database, index: string): string =>
  rows<{ name: string | null; desc: number; coll: string }>(client, indexColumnsSql, index)
    .map((c) =>
      [c.name ?? 'expression', ...(c.coll === 'BINARY' ? [] : [c.coll]), ...(c.desc ? ['desc'] : [])].join(' '),
    )
    .join(', ')

function index(client: Database.Database, catalog: Map<string, string>, m: Master): void {
  if (m.sql === null) return
  const text = normal(m.sql)
  const where = / where (.*)$/i.exec(text)
  const kind = /^create unique /i.test(text) ? 'unique' : 'index'
  const columns = indexColumns(client, m.name)
  catalog.set(
    `index ${m.table}.${m.name}`,
    `${kind} (${columns.includes('expression') ? text : columns})${where ? ` where ${where[1]}` : ''}`,
  )
}

function foreignKeys(client: Database.Database, catalog: Map<string, string>, name: string): void {
  const byId = new Map<number, ForeignKeyRow[]>()
  for (const row of rows<ForeignKeyRow>(client, foreignKeysSql, name)) {
    byId.set(row.id, [...(byId.get(row.id) ?? []), row])
  }
  for (const rows of byId.values()) {
    const [first] = rows
    if (!first) continue
    const from = rows.map((r) => r.from).join(', ')
    const to = rows.map((r) => r.to ?? '').join(', ')
    const actions = `on delete ${first.onDelete.toLowerCase()} on update ${first.onUpdate.toLowerCase()}`
    catalog.set(`foreign key ${name}.(${from})`, `references ${first.table} (${to}) ${actions}`)
  }
}
