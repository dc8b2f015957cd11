import { describeIndex, describeReference, type Shape, type Shapes } from './shape.js'

type Query = (sql: string) => Promise<Readonly<Record<string, unknown>>[]>

/** Every table in the file with its shape, read from SQLite's catalog. */
export async function sqliteShapes(query: Query): Promise<Shapes> {
  const tables = await query(
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  )
  const shapes = await Promise.all(
    tables.map(async ({ name }) => [String(name), await shapeOf(query, String(name))] as const),
  )
  return Object.fromEntries(shapes)
}

async function shapeOf(query: Query, table: string): Promise<Shape> {
  const columns = await query(`SELECT name, type, "notnull", pk FROM pragma_table_info('${table}')`)
  const key = columns.filter((c) => Number(c.pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk))
  return {
    columns: Object.fromEntries(
      columns.map((c) => [String(c.name), `${c.type} ${c.notnull ? 'not null' : 'null'}`.toLowerCase()]),
    ),
    key: key.map((c) => String(c.name)),
    indexes: await indexesOf(query, table),
    foreignKeys: await foreignKeysOf(query, table),
  }
}

async function indexesOf(query: Query, table: string): Promise<Record<string, string>> {
  const rows = await query(`SELECT l.name, l."unique", m.sql FROM pragma_index_list('${table}') l
    JOIN sqlite_master m ON m.type = 'index' AND m.name = l.name WHERE l.origin = 'c'`)
  const described = rows.map(async ({ name, unique, sql }) => {
    const columns = await query(`SELECT name FROM pragma_index_info('${name}') ORDER BY seqno`)
    const where = / where (.*)$/i.exec(String(sql))?.[1] ?? null
    return [
      String(name),
      describeIndex(
        unique === 1,
        columns.map((c) => String(c.name)),
        where,
      ),
    ] as const
  })
  return Object.fromEntries(await Promise.all(described))
}

async function foreignKeysOf(query: Query, table: string): Promise<string[]> {
  const rows = await query(
    `SELECT id, "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list('${table}') ORDER BY id, seq`,
  )
  const ids = [...new Set(rows.map((r) => r.id))]
  return ids
    .map((id) => rows.filter((r) => r.id === id))
    .map((group) =>
      describeReference({
        from: group.map((r) => String(r.from)),
        table: String(group[0]?.table),
        to: group.map((r) => String(r.to)),
        onDelete: String(group[0]?.on_delete),
        onUpdate: String(group[0]?.on_update),
      }),
    )
    .sort()
}
