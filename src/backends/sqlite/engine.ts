import { CasingCache } from 'drizzle-orm/casing'
import { type SQL, sql } from 'drizzle-orm/sql/sql'
import * as tables from '../../../schema/sqlite.js'
import type { MetadataCondition, Scalar } from '../../contract/filter.js'
import { INSERTED } from '../sql/columns.js'
import { perEngine, type SearchedTable, type SqlConditions, type SqlEngine } from '../sql/engine.js'
import { count, list, makeStatement, REVISION, value } from '../sql/statement.js'
import { insertInto } from '../sql/write.js'
import { indexOf } from './fts.js'
import type { SqliteSession } from './session.js'
import { sqliteVectors } from './vectors.js'

const JSON_TYPES = { string: ['text'], number: ['integer', 'real'] } as const

function equals(operand: Scalar): SQL {
  if (operand === null) return sql`j.type = 'null'`
  if (typeof operand === 'boolean') return sql`j.type = ${String(operand)}`
  return sql`j.type in ${JSON_TYPES[typeof operand as 'string' | 'number']} and j.value = ${operand}`
}

function compares(operator: '>' | '>=' | '<' | '<=', operand: string | number): SQL {
  return sql`j.type in ${JSON_TYPES[typeof operand as 'string' | 'number']} and j.value ${sql.raw(operator)} ${operand}`
}

/** One bound list a kind: a chain of ORs would be too deep for SQLite, and its parameters too many. */
function anyOf(operands: readonly Scalar[]): SQL {
  const among = (kind: 'string' | 'number') => {
    const values = operands.filter((each) => typeof each === kind)
    return values.length === 0
      ? []
      : [sql`(j.type in ${JSON_TYPES[kind]} and j.value in (select value from json_each(${JSON.stringify(values)})))`]
  }
  const rest = new Set(operands.filter((each) => each === null || typeof each === 'boolean'))
  const parts = [...among('string'), ...among('number'), ...[...rest].map((each) => sql`(${equals(each)})`)]
  return sql`(${sql.join(parts, sql` or `)})`
}

function condition(wanted: MetadataCondition): SQL {
  if (typeof wanted !== 'object' || wanted === null) return equals(wanted)
  const parts: SQL[] = []
  if (wanted.in) parts.push(wanted.in.length === 0 ? sql`false` : anyOf(wanted.in))
  if (wanted.gt !== undefined) parts.push(compares('>', wanted.gt))
  if (wanted.gte !== undefined) parts.push(compares('>=', wanted.gte))
  if (wanted.lt !== undefined) parts.push(compares('<', wanted.lt))
  if (wanted.lte !== undefined) parts.push(compares('<=', wanted.lte))
  return sql.join(parts, sql` and `)
}

const conditions: SqlConditions = {
  among: (column, name) => sql`${column} in (select value from json_each(${value(name)}))`,
  texts: (values) => JSON.stringify(values),
  // A key is compared as a value: a JSON path cannot express every key.
  metadata: (column, filter) =>
    Object.entries(filter).map(
      ([key, wanted]) =>
        sql`exists (select 1 from json_each(${column}) as j where j.key = ${key} and ${condition(wanted)})`,
    ),
  tags: (column, match) => {
    const found = sql`from json_each(${column}) as j where j.value in (select value from json_each(${value('tags')}))`
    return match === 'any'
      ? sql`exists (select 1 ${found})`
      : sql`(select count(distinct j.value) ${found}) = ${value('tagCount')}`
  },
  rows: (name, columns) => {
    const list = Object.keys(columns).map(
      (column, i) => sql`value ->> ${sql.raw(String(i))} as ${sql.identifier(column)}`,
    )
    return sql`(select ${sql.join(list, sql`, `)} from json_each(${value(name)}))`
  },
  encodeRows: (rows) => JSON.stringify(rows),
  match: (token, terms) => ({
    match: terms.map(({ text, prefix }) => (prefix ? `"${token}${text}" *` : `"${token}${text}"`)).join(' OR '),
  }),
}

const inserts = perEngine((engine) => {
  const of = (table: SearchedTable) => engine.command(() => insertInto(engine, table, INSERTED[table]))
  return { messages: of('messages'), memories: of('memories'), documents: of('documents') }
})
const raise = perEngine((engine) =>
  engine.command(() => sql`update bruno_revision set value = max(value, ${value('above')})`),
)
const newest = perEngine((engine) => {
  const of = (table: SearchedTable) => {
    const { seq } = engine.tables[table]
    return engine.statement({ seq }, () => sql`select ${seq} from ${engine.tables[table]} order by ${seq} desc limit 1`)
  }
  return { messages: of('messages'), memories: of('memories'), documents: of('documents') }
})

const frequencies = perEngine((engine) => {
  const of = (table: SearchedTable) => {
    const words = sql.identifier(indexOf[table].words)
    const selection = { n: count(sql``) }
    return {
      exact: engine.statement(
        selection,
        () =>
          sql`select coalesce(w.doc, 0) from json_each(${value('terms')}) as t left join ${words} as w on w.term = t.value`,
      ),
      prefixed: engine.statement(
        selection,
        () => sql`select sum(w.doc) from ${words} as w where w.term >= ${value('low')} and w.term < ${value('high')}`,
      ),
    }
  }
  return { messages: of('messages'), memories: of('memories'), documents: of('documents') }
})

// What Drizzle's own dialect hands to the same method; the dialect itself would load every query builder.
const rendering = {
  casing: new CasingCache(),
  escapeName: (name: string) => `"${name}"`,
  escapeParam: () => '?',
  escapeString: (text: string) => `'${text.replace(/'/g, "''")}'`,
}

export function sqliteEngine(): SqlEngine {
  const engine: SqlEngine = {
    tables,
    revision: value(REVISION),
    join: sql`cross join`,
    databaseTime: sql`cast(unixepoch('subsec') * 1000 as integer)`,
    milliseconds: (instant) => instant,
    raiseRevision: async (session, above) => {
      await session.run(raise(engine), { above })
    },
    forUpdate: sql``,
    forClaim: sql``,
    lookedUp: ({ rows, table, columns, where }) =>
      sql`select ${columns} from ${rows} cross join ${table} where ${where}`,
    statement: (selection, query) => makeStatement(() => query().toQuery(rendering), selection),
    command: (query) => makeStatement<never>(() => query().toQuery(rendering), null),
    conditions,
    async insert(session, table, rows, path) {
      if (rows.length > 0) (session as SqliteSession).insert(inserts(engine)[table], indexOf[table], rows, path)
    },
    async insertSelect(session, table, statement, values) {
      const [last] = await session.all(newest(engine)[table])
      const n = await session.run(statement, values)
      ;(session as SqliteSession).index(indexOf[table], (last?.seq ?? 0) + 1, Number.MAX_SAFE_INTEGER)
      return n
    },
    textSearch({ table, selection, join, where }) {
      const index = sql.identifier(indexOf[table].name)
      const rows = engine.tables[table]
      // The index is the outermost loop and answers in the order of rank by itself, so rows are looked up only until
      // enough of them meet the conditions. The cross joins keep the planner from starting at another table.
      return sql`select ${list(selection)} from ${index} as f cross join ${rows} on ${rows.seq} = f.rowid
        ${join ? sql`cross join ${join.table} on ${join.on}` : sql``}
        where f.search_text match ${value('match')} and ${where} order by f.rank limit ${value('candidates')}`
    },
    vectors: sqliteVectors(() => engine),
    async termFrequencies(session, table, token, terms) {
      const { exact, prefixed } = frequencies(engine)[table]
      const words = terms.map(({ text }) => `${token}${text}`)
      const found = await session.all(exact, { terms: JSON.stringify(words) })
      for (const [i, { prefix }] of terms.entries())
        if (prefix) {
          const [row] = await session.all(prefixed, { low: words[i], high: `${words[i]}\u{10ffff}` })
          found[i] = { n: row?.n ?? 0 }
        }
      return found.map((row) => row.n)
    },
  }
  return engine
}
