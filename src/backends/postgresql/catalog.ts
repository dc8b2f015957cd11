import { journalTable } from '../../migrate/bundle.js'
import type { Catalog } from '../../migrate/catalog.js'
import { SEARCH_FUNCTIONS } from './row-level-security.js'

/** One object and its description; the description never names the schema. */
interface Row {
  readonly object: string
  readonly description: string
}

/** `bruno_vectors` is made when a store with vectors is opened, for its extension may be missing. */
const ours = `n.nspname = current_schema() AND left(t.relname, 6) = 'bruno_' AND t.relname NOT IN ('${journalTable}', 'bruno_vectors')`
const relation = `pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace`

const tables = `
  SELECT 'table ' || t.relname AS object,
    CASE t.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END
      || CASE WHEN t.relkind = 'p' THEN ' partitioned' ELSE '' END
      || CASE WHEN t.relpersistence = 'u' THEN ' unlogged' ELSE '' END AS description
  FROM ${relation} WHERE ${ours} AND t.relkind IN ('r', 'p', 'v', 'm')`

/** An identity's own sequence belongs to its column. */
const sequences = `
  SELECT 'sequence ' || t.relname AS object,
    concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'by', s.seqincrement, 'from', s.seqmin,
      'to', s.seqmax, 'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END) AS description
  FROM ${relation} JOIN pg_sequence s ON s.seqrelid = t.oid
  WHERE ${ours} AND NOT EXISTS (SELECT 1 FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype IN ('a', 'i'))`

const columns = `
  SELECT 'column ' || t.relname || '.' || a.attname AS object,
    concat_ws(' ', format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> y.typcollation THEN 'collate ' || c.collname END,
      CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,
      CASE a.attidentity WHEN 'd' THEN 'identity by default' WHEN 'a' THEN 'identity always' END,
      CASE WHEN d.oid IS NOT NULL THEN CASE WHEN a.attgenerated <> '' THEN 'generated ' ELSE 'default ' END
        || pg_get_expr(d.adbin, d.adrelid) END) AS description
  FROM ${relation} JOIN pg_attribute a ON a.attrelid = t.oid JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  WHERE ${ours} AND t.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped`

/**
 * From PostgreSQL 18 on, `not null` is a constraint too (kind n); the column says it already. A foreign key is kept by
 * triggers, which can be switched off like others.
 */
const constraints = `
  SELECT CASE k.contype WHEN 'p' THEN 'primary key ' WHEN 'u' THEN 'unique key ' WHEN 'f' THEN 'foreign key '
      WHEN 'c' THEN 'check ' ELSE 'constraint ' END || t.relname || '.' || k.conname AS object,
    pg_get_constraintdef(k.oid, true) || CASE WHEN EXISTS (SELECT 1 FROM pg_trigger g
      WHERE g.tgconstraint = k.oid AND g.tgenabled IN ('D', 'R')) THEN ' (disabled)' ELSE '' END AS description
  FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
  WHERE ${ours} AND k.contype NOT IN ('n', 't')`

/** Vector indexes are made when a space is opened, outside the migrations. An invalid index is as good as none. */
const indexes = `
  SELECT 'index ' || t.relname || '.' || i.relname AS object,
    pg_get_indexdef(x.indexrelid, 0, true) || CASE WHEN x.indisvalid THEN '' ELSE ' (invalid)' END AS description
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam
    JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
  WHERE ${ours} AND m.amname NOT IN ('hnsw', 'ivfflat')
    AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))`

/** Those of a move under way are no part of the schema. One that is switched off is as good as none, which its definition does not tell. */
const triggers = `
  SELECT 'trigger ' || t.relname || '.' || g.tgname AS object,
    pg_get_triggerdef(g.oid, true) || CASE g.tgenabled WHEN 'D' THEN ' (disabled)' WHEN 'R' THEN ' (on replicas only)'
      WHEN 'A' THEN ' (on replicas too)' ELSE '' END AS description
  FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_namespace n ON n.oid = t.relnamespace
  WHERE ${ours} AND NOT g.tgisinternal AND left(g.tgname, 15) <> 'bruno_transfer_'`

const functions = `
  SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS object,
    pg_get_functiondef(p.oid) AS description
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = current_schema() AND left(p.proname, 6) = 'bruno_' AND left(p.proname, 15) <> 'bruno_transfer_' AND p.prokind = 'f'
    AND p.proname NOT IN (${SEARCH_FUNCTIONS.map((name) => `'${name}'`).join(', ')})`

const catalogSql = [tables, sequences, columns, constraints, indexes, triggers, functions].join('\n  UNION ALL')

interface Queryable {
  unsafe(text: string): PromiseLike<unknown>
}

/** The catalog of the current schema, as far as it is ours: what is named `bruno_…` and what hangs on it. */
export async function postgresqlCatalog(sql: Queryable, schema: string): Promise<Catalog> {
  const rows = (await sql.unsafe(catalogSql)) as readonly Row[]
  // Names out of the search path are printed with their schema, quoted where they need it.
  const qualifier = new RegExp(`"?\\b${schema}\\b"?\\.`, 'g')
  return new Map(rows.map((r) => [r.object, r.description.replace(qualifier, '')]))
}
