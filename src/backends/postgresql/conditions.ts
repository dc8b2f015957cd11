import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { MetadataCondition, Scalar } from '../../contract/filter.js'
import type { SqlConditions } from '../sql/engine.js'
import { value } from '../sql/statement.js'
import { arrayOf } from './arrays.js'
import { matchValues } from './text-search.js'

const OPERATORS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

const json = (operand: Scalar): SQL => sql`${JSON.stringify(operand)}::jsonb`

/** Numbers are compared as numbers and texts bytewise, as JavaScript's order of their UTF-8 is in the other engine. */
function compares(found: SQL, operator: string, operand: string | number): SQL {
  return typeof operand === 'number'
    ? sql`(case when jsonb_typeof(${found}) = 'number' then (${found} #>> '{}')::numeric ${sql.raw(operator)} ${String(operand)}::numeric else false end)`
    : sql`(jsonb_typeof(${found}) = 'string' and (${found} #>> '{}') collate "C" ${sql.raw(operator)} ${operand})`
}

function condition(found: SQL, wanted: MetadataCondition): SQL {
  if (typeof wanted !== 'object' || wanted === null) return sql`${found} = ${json(wanted)}`
  const parts: SQL[] = []
  if (wanted.in)
    parts.push(sql`${found} = any(${arrayOf(wanted.in.map((operand) => JSON.stringify(operand)))}::jsonb[])`)
  for (const name of ['gt', 'gte', 'lt', 'lte'] as const) {
    const operand = wanted[name]
    if (operand !== undefined) parts.push(compares(found, OPERATORS[name], operand))
  }
  return sql.join(parts, sql` and `)
}

export const conditions: SqlConditions = {
  among: (column, name) => sql`${column} = any(${value(name)}::text[])`,
  texts: arrayOf,
  metadata: (column, filter) =>
    Object.entries(filter).map(([key, wanted]) => sql`(${condition(sql`(${column} -> ${key}::text)`, wanted)})`),
  tags: (column, match) => sql`${column} ${sql.raw(match === 'any' ? '?|' : '?&')} ${value('tags')}::text[]`,
  rows: (name, columns) => {
    const list = Object.entries(columns).map(
      ([column, type], i) =>
        sql`(r.value ->> ${sql.raw(String(i))})::${sql.raw(type === 'integer' ? 'bigint' : 'text')} as ${sql.identifier(column)}`,
    )
    // Kept apart by the offset: under row-level security an index is not read by what a cast made, for casts may tell.
    return sql`(select ${sql.join(list, sql`, `)} from jsonb_array_elements(${value(name)}::jsonb) as r offset 0)`
  },
  encodeRows: (rows) => JSON.stringify(rows),
  match: matchValues,
}
