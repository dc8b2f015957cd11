import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { checkSecurity, openConnections, secureDatabase } from '../../src/backends/postgresql/open.js'
import type { Memory } from '../../src/contract/memory.js'
import { leaveServer, returnDatabases } from './support/databases.js'
import { dropRole, type SecuredDatabase, securedDatabase } from './support/secured.js'

let database: SecuredDatabase
const opened: Memory[] = []
const open = (options: object): Memory => {
  const memory = createBackend('postgresql', { ...database, rowLevelSecurity: true, poolSize: 3, ...options })
  opened.push(memory)
  return memory
}
const says = (content: string) => ({ role: 'user' as const, content })

beforeEach(async () => {
  database = await securedDatabase()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
  await returnDatabases()
})
afterAll(async () => {
  await leaveServer()
  await dropRole(inject('servers').POSTGRESQL_URL)
})

/** Statements of the application's role, beside the memory. */
async function asApplication<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(database.connectionString, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

describe('at the start', () => {
  test('a superuser is refused, and the way out is said', async () => {
    await expect(open({ connectionString: database.maintenanceConnectionString }).connect()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/is a superuser.*connect as a plain role/),
    })
  })

  test('the owner of the tables is refused, for an owner can take the policies away', async () => {
    const sql = postgres(database.maintenanceConnectionString, { max: 1 })
    const role = new URL(database.connectionString).username
    await sql.unsafe(`alter table bruno_spaces owner to ${role}`)
    try {
      await expect(open({}).connect()).rejects.toThrow(/owns the tables/)
    } finally {
      await sql.unsafe('alter table bruno_spaces owner to current_user')
      await sql.end()
    }
  })

  test.each([
    ['has no policy', 'drop policy bruno_tenant on bruno_memories', /bruno_memories has no policy/],
    ['is not forced', 'alter table bruno_users no force row level security', /bruno_users has no policy/],
    [
      'has a wider policy beside ours',
      'create policy wide on bruno_messages using (true)',
      /bruno_messages has no policy/,
    ],
    [
      'lost its search function',
      'alter function bruno_search_rows owner to current_user; alter function bruno_search_rows security invoker',
      /search functions are missing/,
    ],
  ])('a schema that %s is refused', async (_, change, message) => {
    const sql = postgres(database.maintenanceConnectionString, { max: 1, onnotice: () => {} })
    try {
      await sql.unsafe(change)
      await expect(open({}).connect()).rejects.toThrow(message)
    } finally {
      await sql.unsafe('drop policy if exists wide on bruno_messages')
      await sql.unsafe('alter function bruno_search_rows security definer')
      await sql.end()
      await secureDatabase(database.maintenanceConnectionString, undefined)
    }
    await open({}).connect()
  })

  test('vectors need a role that sees all tenants', async () => {
    const { connectionString } = database
    const connections = await openConnections({ connectionString, poolSize: 2 })
    try {
      const options = { connectionString, rowLevelSecurity: true }
      await expect(checkSecurity(options, connections, true)).rejects.toThrow(
        /maintenanceConnectionString: is required/,
      )
      await checkSecurity({ ...options, ...database }, connections, true)
      await checkSecurity(options, connections, false)
    } finally {
      await connections.close()
    }
  })

  test('without a maintenance role the schema is only checked, and a sweep says what it needs', async () => {
    const memory = open({ maintenanceConnectionString: undefined })
    await memory.connect()
    await memory.conversations.create({ userId: 'ada' })
    await expect(memory.sweep()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('maintenanceConnectionString'),
    })
  })
})

describe('the server itself', () => {
  test('shows nothing without a tenant, and takes no row of another', async () => {
    const memory = open({})
    await memory.forTenant('acme').messages.append('c', says('a secret of acme'), { userId: 'ada' })
    await asApplication(async (sql) => {
      expect(await sql`select * from bruno_messages`).toHaveLength(0)
      const rows = await sql.begin(async (tx) => {
        await tx`select set_config('bruno_memory.tenant', 'other', true)`
        return tx`select * from bruno_messages where tenant_id = 'acme'`
      })
      expect(rows).toHaveLength(0)
      await expect(
        sql.begin(async (tx) => {
          await tx`select set_config('bruno_memory.tenant', 'other', true)`
          await tx`insert into bruno_users values ('acme', 'eve', null, '{}', '{}', '{}', null, now(), now(), 1, 1)`
        }),
      ).rejects.toMatchObject({ code: '42501' })
      expect(await sql`select * from bruno_search_rows('bruno_messages', '{}', '{}', null, 10)`).toHaveLength(0)
    })
  })

  test('the search functions answer the tenant of the transaction alone, whatever terms they are given', async () => {
    const memory = open({})
    await memory.forTenant('acme').messages.append('c', says('lisbon'), { userId: 'ada' })
    const admin = postgres(database.maintenanceConnectionString, { max: 1 })
    const [{ term } = { term: '' }] =
      await admin`select (tsvector_to_array(search_vector))[1] as term from bruno_messages`
    await admin.end()
    await asApplication(async (sql) => {
      const found = (tenant: string) =>
        sql.begin(async (tx) => {
          await tx`select set_config('bruno_memory.tenant', ${tenant}, true)`
          return tx.unsafe(
            `select * from bruno_search_rows('bruno_messages', array['${term}'::tsquery], array[1], null, 10)`,
          )
        })
      expect(await found('acme')).toHaveLength(1)
      expect(await found('other')).toHaveLength(0)
      await expect(
        sql.unsafe("select * from bruno_search_rows('pg_authid', array['x'::tsquery], array[1], null, 10)"),
      ).resolves.toHaveLength(0)
    })
  })

  test('a search under the policies uses the GIN index', async () => {
    const memory = open({}).forTenant('acme')
    const words = ['alpha', 'beta', 'gamma', 'delta', 'lake', 'train', 'garden']
    for (let i = 0; i < 10; i++)
      await memory.messages.append(
        `c${i}`,
        Array.from({ length: 500 }, (_, j) => says(`${words[(i + j) % 7]} filler ${i * 500 + j}`)),
        { userId: 'ada' },
      )
    const admin = postgres(database.maintenanceConnectionString, { max: 1 })
    await admin.unsafe('analyze bruno_messages')
    const scans = async () => {
      await admin.unsafe('select pg_stat_clear_snapshot()')
      const [row] =
        await admin`select idx_scan::int as n from pg_stat_user_indexes where indexrelname = 'bruno_messages_search'`
      return Number(row?.n)
    }
    const before = await scans()
    expect(await memory.search({ text: 'filler 4321', kinds: ['message'], limit: 1 })).toMatchObject([
      { record: { content: expect.stringContaining('filler 4321') } },
    ])
    // The server's counters come with the end of a connection.
    await Promise.all(opened.splice(0).map((each) => each.close()))
    await expect.poll(scans, { timeout: 10_000 }).toBeGreaterThan(before)
    await admin.end()
  })

  test('no tenant stays on a connection, when units fail on purpose', async () => {
    const memory = open({ poolSize: 2, applicationName: 'leak-test' })
    const tenants = ["a'; drop table bruno_users; --", 'a', 'A', 'a%', 'ä', '\u0430']
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const tenant = memory.forTenant(tenants[i % tenants.length] as string)
        const unit = tenant.unitOfWork(async (within) => {
          await within.messages.append('c', says(`${i}`), { userId: 'ada' })
          if (i % 5 === 0) throw new Error('on purpose')
          if (i % 7 === 0) await within.users.update('nobody', { name: 'x' })
        })
        await unit.catch(() => undefined)
      }),
    )
    for (const [at, name] of tenants.entries()) {
      const { items } = await memory.forTenant(name).messages.list('c', { first: 1000 })
      expect(items.map(({ content }) => Number(content) % tenants.length)).toEqual(items.map(() => at))
    }
    await asApplication(async (sql) => {
      expect(await sql`select nullif(current_setting('bruno_memory.tenant', true), '') as tenant`).toEqual([
        { tenant: null },
      ])
      expect(await sql`select * from bruno_users`).toHaveLength(0)
    })
  })
})
