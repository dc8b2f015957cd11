import { describeIndex, describeReference, type Shapes } from './shape.js'

type Query = (sql: string) => Promise<Readonly<Record<string, unknown>>[]>

const inPublic = "n.nspname = 'public'"
const names = (oid: string, numbers: string) =>
  `(SELECT json_agg(a.attname ORDER BY o.i) FROM unnest(${numbers}) WITH ORDINALITY o(n, i)
    JOIN pg_attribute a ON a.attrelid = ${oid} AND a.attnum = o.n)`
const action = (
  column: string,
) => `CASE ${column} WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade'
  WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END`

const columnsSql = `SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS notnull
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE ${inPublic} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
const indexesSql = `SELECT t.relname AS table, c.relname AS name, x.indisunique AS unique, x.indisprimary AS primary,
    m.amname AS method, pg_get_expr(x.indpred, x.indrelid) AS where, ${names('x.indrelid', 'x.indkey::int2[]')} AS columns
  FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid JOIN pg_am m ON m.oid = c.relam
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE ${inPublic}`
const foreignKeysSql = `SELECT t.relname AS table, r.relname AS references, ${names('k.conrelid', 'k.conkey')} AS from,
    ${names('k.confrelid', 'k.confkey')} AS to, ${action('k.confdeltype')} AS on_delete, ${action('k.confupdtype')} AS on_update
  FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE ${inPublic} AND k.contype = 'f'`

/** Every table in the schema `public` with its shape, read from PostgreSQL's catalog. */
export async function postgresqlShapes(query: Query): Promise<Shapes> {
  const [columns, indexes, foreignKeys] = [
    await query(columnsSql),
    await query(indexesSql),
    await query(foreignKeysSql),
  ]
  const tables = [...new Set(columns.map((c) => String(c.table)))]
  const of = (rows: Readonly<Record<string, unknown>>[], table: string) => rows.filter((r) => r.table === table)
  return Object.fromEntries(
    tables.map((table) => [
      table,
      {
        columns: Object.fromEntries(
          of(columns, table).map((c) => [String(c.name), `${c.type} ${c.notnull ? 'not null' : 'null'}`]),
        ),
        key: (of(indexes, table).find((i) => i.primary)?.columns ?? []) as string[],
        indexes: Object.fromEntries(
          of(indexes, table)
            .filter((i) => !i.primary)
            .map((i) => [
              String(i.name),
              `${i.method === 'btree' ? '' : `${i.method} `}${describeIndex(Boolean(i.unique), i.columns as string[], i.where as string | null)}`,
            ]),
        ),
        foreignKeys: of(foreignKeys, table)
          .map((f) =>
            describeReference({
              from: f.from as string[],
              table: String(f.references),
              to: f.to as string[],
              onDelete: String(f.on_delete),
              onUpdate: String(f.on_update),
            }),
          )
          .sort(),
      },
    ]),
  )
}
