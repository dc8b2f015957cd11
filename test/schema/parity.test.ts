import { beforeAll, describe, expect, test } from 'vitest'
import { columnName, keyName } from '../../schema/dialect/naming.js'
import { revision } from '../../schema/tables.js'
import type { Row, TestDatabase } from '../migrate/support/databases.js'
import { tables } from '../migrate/support/fill.js'
import { engines, migratorOf } from '../migrate/support/fresh.js'
import { postgresqlShapes } from './postgresql-shapes.js'
import type { Shape, Shapes } from './shape.js'
import { sqliteShapes } from './sqlite-shapes.js'

/** Column types that hold the same values. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  text: ['text', 'jsonb'],
  integer: ['bigint', 'boolean', 'timestamp(3) with time zone'],
  real: ['double precision'],
  blob: ['bytea'],
}
const searched = ['bruno_messages', 'bruno_memories', 'bruno_documents']
const withSeq = tables.filter((t) => Object.values(t.columns).some((c) => c.kind === 'seq')).map((t) => t.name)

let databases: readonly TestDatabase[] = []
let sqlite: Shapes = {}
let postgresql: Shapes = {}

beforeAll(async () => {
  databases = await Promise.all(engines().map((e) => e.create()))
  await Promise.all(databases.map((d) => migratorOf(d).up()))
  const [s, p] = databases
  sqlite = await sqliteShapes((sql) => s?.all(sql) ?? Promise.resolve([]))
  postgresql = await postgresqlShapes((sql) => p?.all(sql) ?? Promise.resolve([]))
  return async () => void (await Promise.all(databases.map((d) => d.close())))
})

/** Both shapes of a table after taking away what has to differ; each deviation states why. */
function both(table: string): { sqlite: Shape; postgresql: Shape } {
  const s = sqlite[table]
  const p = postgresql[table]
  if (!s || !p) throw new Error(`${table} is not in both engines`)
  return {
    sqlite: withSeq.includes(table) ? seqAsRowid(table, s) : s,
    postgresql: searched.includes(table) ? withoutVector(table, p) : p,
  }
}

/** FTS5 refers to rows by rowid, so that `seq` is SQLite's primary key and the logical key a unique index. */
function seqAsRowid(table: string, shape: Shape): Shape {
  expect(shape.key).toEqual(['seq'])
  const { [keyName(table)]: key = '', ...indexes } = shape.indexes
  expect(key).toMatch(/^unique \(.*\)$/)
  return { ...shape, key: key.slice('unique ('.length, -1).split(', '), indexes }
}

/** SQLite's full-text index is a table of its own; PostgreSQL's is a generated column with a GIN index. */
function withoutVector(table: string, shape: Shape): Shape {
  const { search_vector: vector, ...columns } = shape.columns
  const { [`${table}_search`]: gin, ...indexes } = shape.indexes
  expect({ vector, gin }).toEqual({ vector: 'tsvector null', gin: 'gin (search_vector)' })
  return { ...shape, columns, indexes }
}

describe('a migrated SQLite file and a migrated PostgreSQL database', () => {
  test('have the same tables, which are those of the schema', () => {
    // A sequence in PostgreSQL; SQLite has none, hence a table of one row.
    const { [revision.name]: counter, ...rest } = sqlite
    expect(counter?.columns).toEqual({ value: 'integer not null' })
    const expected = [...tables.map((t) => t.name), 'bruno_migrations'].sort()
    // SQLite's index of sign bits over the vectors is a table; PostgreSQL's indexes of vectors are indexes.
    const { bruno_embedding_bits: bits, ...same } = rest
    expect(bits).toEqual({
      columns: {
        part: 'integer not null',
        seq: 'integer not null',
        record_seq: 'integer not null',
        bits: 'blob not null',
      },
      key: ['part', 'seq'],
      indexes: {},
      foreignKeys: [],
    })
    expect(Object.keys(same).sort()).toEqual(expected)
    expect(Object.keys(postgresql).sort()).toEqual(expected)
  })

  test('have the store-wide counter, at its start', async () => {
    const [s, p] = databases
    expect(await s?.all(`SELECT value FROM ${revision.name}`)).toEqual([{ value: 0 }])
    expect(await p?.all(`SELECT last_value::int AS value, is_called FROM ${revision.name}`)).toEqual([
      { value: 1, is_called: false },
    ])
  })

  test('follow the same changes of the same tables by triggers', async () => {
    const [s, p] = databases
    const named = (rows: readonly Row[] = []) => rows.map((r) => `${r.table} ${r.name}`).sort()
    const ours = named(await s?.all(`SELECT tbl_name AS "table", name FROM sqlite_master WHERE type = 'trigger'`))
    const theirs = named(
      await p?.all(`SELECT t.relname AS table, g.tgname AS name FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
        WHERE NOT g.tgisinternal`),
    )
    const changes = ['follow_delete', 'follow_update', 'vector_update']
    const of = (list: readonly string[]) => searched.flatMap((t) => list.map((change) => `${t} ${t}_${change}`))
    // The statement that inserts rows in SQLite adds them to the index and tells of them itself.
    const conversations = ['follow_delete', 'follow_update'].map((c) => `bruno_conversations bruno_conversations_${c}`)
    expect(theirs).toEqual([...of([...changes, 'follow_insert']), ...conversations].sort())
    // SQLite's indexes of texts and of sign bits are tables: triggers keep them too.
    expect(ours).toEqual(
      [
        ...of([...changes, 'search_delete', 'search_update']),
        ...conversations,
        'bruno_embeddings bruno_embeddings_bits_delete',
      ].sort(),
    )
  })

  test('search the same tables', async () => {
    const [s] = databases
    const virtual = await s?.all(
      "SELECT name FROM sqlite_master WHERE sql LIKE 'create virtual table%using fts5(%' ORDER BY name",
    )
    expect(virtual?.map((v) => v.name)).toEqual(searched.map((t) => `${t}_search`).sort())
    expect(
      Object.keys(postgresql)
        .filter((t) => postgresql[t]?.columns.search_vector)
        .sort(),
    ).toEqual([...searched].sort())
  })

  describe.each(tables.map((t) => ({ name: t.name, table: t })))('$name', ({ name, table }) => {
    test('has the same columns, of kinds that hold the same values', () => {
      const { sqlite: s, postgresql: p } = both(name)
      // A column that is added later stands last.
      expect(Object.keys(p.columns).sort()).toEqual(Object.keys(s.columns).sort())
      expect(Object.keys(s.columns).sort()).toEqual(Object.keys(table.columns).map(columnName).sort())
      for (const [column, type] of Object.entries(s.columns)) {
        const [kind = ''] = type.split(' ')
        expect(kinds[kind], `${column} ${type}`).toContain(p.columns[column]?.replace(/ (not )?null$/, ''))
      }
    })

    test('has the same nullability', () => {
      const { sqlite: s, postgresql: p } = both(name)
      const required = (shape: Shape) =>
        Object.keys(shape.columns).filter((c) => shape.columns[c]?.endsWith('not null'))
      expect(required(p).sort()).toEqual(required(s).sort())
      expect(required(s).sort()).toEqual(
        Object.keys(table.columns)
          .filter((c) => !table.columns[c]?.optional)
          .map(columnName)
          .sort(),
      )
    })

    test('has the same key, indexes and foreign keys', () => {
      const { sqlite: s, postgresql: p } = both(name)
      expect(p.key).toEqual(s.key)
      expect(s.key).toEqual(table.key.map(columnName))
      // SQLite's tables are in the order of their row numbers by themselves.
      const rows = 'seq' in table.columns ? { [`${name}_seq`]: 'unique (tenant_id, seq)' } : {}
      expect(p.indexes).toEqual({ ...s.indexes, ...rows })
      expect(Object.keys(s.indexes)).toHaveLength(table.indexes.length)
      expect(p.foreignKeys).toEqual(s.foreignKeys)
      expect(s.foreignKeys).toHaveLength(table.foreignKeys.length)
    })
  })
})
