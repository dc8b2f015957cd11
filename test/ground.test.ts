import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import postgres, { type Options, type Sql, type TransactionSql } from 'postgres'
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { findProgram } from './ground/find-program.js'
import { ownPostgresql, type Server } from './ground/index.js'
import { startPgbouncer } from './ground/pgbouncer.js'
import { startPglite } from './ground/pglite.js'
import { startPrimaryWithReplica } from './ground/postgres-replica.js'

const root = fileURLToPath(new URL('..', import.meta.url))

function connect(url: string, options: Options<Record<string, never>> = {}): Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {}, ...options })
  // Not the orderly end: a connection whose server is gone would wait for ever.
  onTestFinished(() => sql.end({ timeout: 0 }))
  return sql
}

async function backendOf(sql: Sql | TransactionSql): Promise<number> {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  return row?.pid ?? 0
}

describe('PgBouncer', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('lets many clients share few server connections', async () => {
    await using pool = await startPgbouncer(inject('servers').POSTGRESQL_URL, { poolSize: 3 })
    const clients = Array.from({ length: 12 }, () => connect(pool.url, { prepare: false }))
    const busy = clients.map(async (sql) => {
      const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid, pg_sleep(0.05)`
      return row?.pid
    })
    expect(new Set(await Promise.all(busy)).size).toBe(3)
  })

  test('gives a client another connection, without its prepared statements, in the next transaction', async () => {
    await using pool = await startPgbouncer(inject('servers').POSTGRESQL_URL)
    const [first, second] = [connect(pool.url, { prepare: false }), connect(pool.url, { prepare: false })]
    await first.unsafe('prepare mine as select 1')
    const before = await backendOf(first)
    await second.begin(async (transaction) => {
      // The connection that was freed last is the first to be given away.
      expect(await backendOf(transaction)).toBe(before)
      expect(await backendOf(first)).not.toBe(before)
      await expect(first.unsafe('execute mine')).rejects.toMatchObject({ code: '26000' })
    })
  })

  test('accepts what a client asks for when it connects, and ignores it', async () => {
    await using pool = await startPgbouncer(inject('servers').POSTGRESQL_URL)
    const connection = { application_name: 'pooled', statement_timeout: 50, idle_in_transaction_session_timeout: 50 }
    const sql = connect(pool.url, { prepare: false, connection })
    expect(
      await sql`select current_setting('application_name') as name, current_setting('statement_timeout') as timeout`,
    ).toEqual([{ name: 'pooled', timeout: '0' }])
  })

  test('finds a PostgreSQL that has been restarted, and is itself restarted on the same port', async () => {
    await using server = await ownPostgresql()
    await using pool = await startPgbouncer(server.url)
    const { url } = pool
    await backendOf(connect(url, { prepare: false }))
    await server.restart()
    // The client keeps its connection to the pool, whose own connections were all cut off.
    await vi.waitFor(() => backendOf(connect(url, { prepare: false })), { timeout: 10_000 })
    await pool.restart()
    expect(pool.url).toBe(url)
    expect(await backendOf(connect(url, { prepare: false }))).toBeGreaterThan(0)
  })

  test('knows no user but that of the URL', async () => {
    await using pool = await startPgbouncer(inject('servers').POSTGRESQL_URL)
    const url = new URL(pool.url)
    url.username = 'somebody'
    await expect(backendOf(connect(url.href))).rejects.toMatchObject({ code: '08P01' })
  })

  test('that cannot be started says why and what to install', async () => {
    const start = startPgbouncer('postgresql://user@127.0.0.1/database', { settings: { no_such_setting: '1' } })
    await expect(start).rejects.toThrow(/PgBouncer could not be started.*no_such_setting.*apt-get install pgbouncer/s)
  })

  test('that is neither on PATH nor to be fetched is a failure, not a skipped test', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'ground-test-'))
    onTestFinished(() => rmSync(empty, { recursive: true }))
    vi.stubEnv('PATH', empty)
    vi.stubEnv('XDG_CACHE_HOME', empty)
    const find = findProgram('nobodys-bouncer', ['nobodys-bouncer'], 'usr/sbin/nobodys-bouncer')
    await expect(find).rejects.toThrow(/no nobodys-bouncer on PATH, and Debian's package could not be fetched/)
  })
})

describe('PGlite', () => {
  test('answers one postgres.js connection, with vectors, transactions and prepared statements', async () => {
    await using server = await startPglite()
    const sql = connect(server.url)
    await sql`create extension vector`
    await sql`create table items (id integer primary key, place vector(3) not null)`
    await sql`create index on items using hnsw (place vector_cosine_ops)`
    await sql`insert into items values (1, '[1,0,0]'), (2, '[0,1,0]')`
    const failed = sql.begin(async (transaction) => {
      await transaction`insert into items values (3, '[0,0,1]')`
      await transaction`insert into items values (1, '[0,0,1]')`
    })
    await expect(failed).rejects.toMatchObject({ code: '23505' })
    const nearest = Array.from(
      { length: 20 },
      () => sql`select id from items order by place <=> ${'[0.1,0.9,0]'} limit 1`,
    )
    for (const rows of await Promise.all(nearest)) expect(rows).toEqual([{ id: 2 }])
    expect(await sql`select count(*)::int as count from items`).toEqual([{ count: 2 }])

    // Only one: a second client is cut off, and the first does not notice.
    await expect(backendOf(connect(server.url))).rejects.toMatchObject({ code: 'ECONNRESET' })
    await sql.end()
    expect(await connect(server.url)`select count(*)::int as count from items`).toEqual([{ count: 2 }])
  })
})

describe('a PostgreSQL of its own', () => {
  test('is shut down and started, killed under load and started, with every acknowledged row', async () => {
    await using server = await ownPostgresql({ work_mem: '5MB' })
    const { url } = server
    const sql = connect(url, { max: 4 })
    await sql`create table kept (id integer primary key)`
    await sql`insert into kept values (0)`
    await server.shutdown()
    await expect(backendOf(connect(url))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await server.start()
    await expect(server.start()).rejects.toThrow(/runs already/)

    let acknowledged = 0
    const insertFrom = async (lane: number): Promise<never> => {
      for (let index = lane; ; index += 4) {
        await sql`insert into kept values (${index})`
        acknowledged += 1
      }
    }
    const load = Promise.allSettled([1, 2, 3, 4].map(insertFrom))
    await vi.waitFor(() => expect(acknowledged).toBeGreaterThan(100))
    await server.kill()
    for (const lane of await load) expect(lane.status).toBe('rejected')
    await server.start()

    expect(server.url).toBe(url)
    const [row] = await connect(url)<{ count: number; memory: string }[]>`
      select count(*)::int as count, current_setting('work_mem') as memory from kept`
    expect(row?.count).toBeGreaterThan(acknowledged)
    expect(row?.memory).toBe('5MB')
  })
})

describe('a replica', () => {
  test('shows what the primary commits, except while its replay is paused', async () => {
    await using pair = await startPrimaryWithReplica()
    const [primary, replica] = [connect(pair.primaryUrl), connect(pair.replicaUrl)]
    const seen = async () => (await replica`select count(*)::int as count from rows_of_primary`)[0]?.count
    await primary`create table rows_of_primary (id integer primary key)`
    await primary`insert into rows_of_primary select generate_series(1, 100)`
    await pair.caughtUp()
    expect(await seen()).toBe(100)
    await expect(replica`insert into rows_of_primary values (0)`).rejects.toMatchObject({ code: '25006' })

    await pair.pauseReplay()
    await primary`insert into rows_of_primary values (101)`
    expect(await seen()).toBe(100)
    await pair.resumeReplay()
    await pair.caughtUp()
    expect(await seen()).toBe(101)

    // Started again, it has missed nothing.
    await pair.replica.kill()
    await primary`insert into rows_of_primary values (102)`
    await pair.replica.start()
    await pair.caughtUp()
    expect(await connect(pair.replicaUrl)`select max(id) as id from rows_of_primary`).toEqual([{ id: 102 }])

    await pair.replica.stop()
    expect(await primary`select slot_name from pg_replication_slots`).toEqual([])
  })
})

test('none of them outlives a test process that is killed', async () => {
  const script = fileURLToPath(new URL('./ground/fixtures/hold-extras.ts', import.meta.url))
  const holder = spawn(process.execPath, ['--import', 'tsx', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void holder.kill('SIGKILL'))
  let servers: Pick<Server, 'pid' | 'folder'>[] = []
  for await (const line of createInterface({ input: holder.stdout })) {
    servers = JSON.parse(line)
    break
  }
  expect(servers).toHaveLength(4)
  for (const { pid } of servers) expect(isAlive(pid)).toBe(true)

  holder.kill('SIGKILL')

  for (const { pid, folder } of servers) {
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 })
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), { timeout: 10_000 })
  }
})

/** A zombie is gone: it only waits for its parent to ask how it ended. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
