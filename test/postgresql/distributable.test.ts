import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, leaveServer } from './support/databases.js'

// What a table needs to be distributed by its tenant: each key, unique index and foreign key has the tenant in it.
let sql: postgres.Sql
beforeAll(async () => {
  sql = postgres(await freshDatabase(), { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await sql.end()
  await leaveServer()
})

const WITHOUT = [
  'bruno_spaces',
  'bruno_analyzers',
  'bruno_followers',
  'bruno_fallback_state',
  'bruno_transfers',
  'bruno_migrations',
]

describe('the tables', () => {
  test('belong to a tenant, but for those that are small and the same for all', async () => {
    const rows = await sql`select relname from pg_class c where relkind = 'r' and relname like 'bruno\_%' and not exists
      (select 1 from pg_attribute where attrelid = c.oid and attname = 'tenant_id') order by relname`
    expect(rows.map(({ relname }) => relname)).toEqual([...WITHOUT].sort())
    const plan = readFileSync(join(import.meta.dirname, '../../docs/postgresql.md'), 'utf8')
    for (const name of WITHOUT.slice(0, 4)) expect(plan).toContain(`create_reference_table('${name}')`)
  })

  test('have the tenant in every unique index, in front but where a follower is', async () => {
    const rows =
      await sql`select i.indexrelid::regclass::text as name, array_agg(a.attname::text order by k.n) as columns
      from pg_index i join pg_class c on c.oid = i.indrelid, unnest(i.indkey) with ordinality as k(attnum, n)
        join pg_attribute a on a.attnum = k.attnum
      where a.attrelid = c.oid and i.indisunique and c.relname like 'bruno\_%' and c.relname <> all(${WITHOUT}) group by 1`
    expect(rows.length).toBeGreaterThan(8)
    const without = rows.filter(({ columns }) => !columns.includes('tenant_id'))
    expect(without).toEqual([])
    const behind = rows.filter(({ columns }) => columns[0] !== 'tenant_id').map(({ name }) => name)
    expect(behind).toEqual(['bruno_outbox_key'])
  })

  test('refer to one another by the tenant first, on both sides', async () => {
    const rows = await sql`select conname, pg_get_constraintdef(oid) as definition from pg_constraint
      where contype = 'f' and conrelid::regclass::text like 'bruno\_%'`
    expect(rows.length).toBeGreaterThan(3)
    for (const { definition } of rows)
      expect(definition).toMatch(/FOREIGN KEY \(tenant_id, \w+\) REFERENCES \w+\(tenant_id, \w+\)/)
  })
})
