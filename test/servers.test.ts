import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { type Server, serverNames, startPostgresql, startRedis } from './ground/index.js'

const clients = createRequire(new URL('./ground/package.json', import.meta.url))
const root = fileURLToPath(new URL('..', import.meta.url))
const unique = (): string => `servers_${process.pid}_${Math.random().toString(36).slice(2)}`

/** The parts of the clients that these tests call. */
type Sql = ((query: TemplateStringsArray, ...values: unknown[]) => Promise<Record<string, unknown>[]>) & {
  unsafe(query: string): Promise<Record<string, unknown>[]>
  end(): Promise<void>
}
interface RedisClient {
  set(key: string, value: string): Promise<string>
  get(key: string): Promise<string | null>
  del(key: string): Promise<number>
  info(section: string): Promise<string>
  disconnect(): void
}
interface ChromaCollection {
  add(records: { ids: string[]; embeddings: number[][]; documents: string[] }): Promise<void>
  query(query: { queryEmbeddings: number[][]; nResults: number }): Promise<{ ids: string[][] }>
}
interface Chroma {
  createCollection(options: { name: string; embeddingFunction: null }): Promise<ChromaCollection>
  deleteCollection(options: { name: string }): Promise<void>
}
interface Qdrant {
  createCollection(name: string, options: { vectors: { size: number; distance: string } }): Promise<boolean>
  upsert(name: string, options: { wait: boolean; points: { id: number; vector: number[] }[] }): Promise<unknown>
  query(name: string, options: { query: number[]; limit: number }): Promise<{ points: { id: number }[] }>
  deleteCollection(name: string): Promise<boolean>
}

function connectSql(url: string): Sql {
  const postgres = clients('postgres') as (url: string, options: { max: number }) => Sql
  const sql = postgres(url, { max: 1 })
  onTestFinished(() => sql.end())
  return sql
}

function connectRedis(url: string): RedisClient {
  const { Redis } = clients('ioredis') as { Redis: new (url: string) => RedisClient }
  const redis = new Redis(url)
  onTestFinished(() => redis.disconnect())
  return redis
}

describe('the servers of the whole run', () => {
  test('PostgreSQL stores and finds a row', async () => {
    const sql = connectSql(inject('servers').POSTGRESQL_URL)
    const table = unique()
    await sql.unsafe(`create table ${table} (id integer primary key, words text not null)`)
    onTestFinished(async () => void (await sql.unsafe(`drop table ${table}`)))
    await sql.unsafe(`insert into ${table} values (1, 'Grüße'), (2, 'other')`)
    expect(await sql.unsafe(`select id from ${table} where words = 'Grüße'`)).toEqual([{ id: 1 }])
    const [settings] = await sql`select current_setting('server_version_num')::int as version`
    expect(settings?.version).toBeGreaterThanOrEqual(150_000)
    expect(inject('servers').DATABASE_URL).toBe(inject('servers').POSTGRESQL_URL)
  })

  test('Redis keeps a value', async () => {
    const redis = connectRedis(inject('servers').REDIS_URL)
    const key = unique()
    expect(await redis.set(key, 'Grüße')).toBe('OK')
    expect(await redis.get(key)).toBe('Grüße')
    expect(await redis.del(key)).toBe(1)
    expect(await redis.info('server')).toMatch(/redis_version:\d+\.\d+/)
  })

  test('Chroma finds the nearest vector', async () => {
    const { ChromaClient } = clients('chromadb') as { ChromaClient: new (options: object) => Chroma }
    const url = new URL(inject('servers').CHROMA_URL)
    const chroma = new ChromaClient({ host: url.hostname, port: Number(url.port), ssl: url.protocol === 'https:' })
    const name = unique()
    const collection = await chroma.createCollection({ name, embeddingFunction: null })
    onTestFinished(() => chroma.deleteCollection({ name }))
    const embeddings = [
      [1, 0, 0],
      [0, 1, 0],
    ]
    await collection.add({ ids: ['a', 'b'], embeddings, documents: ['first', 'second'] })
    const found = await collection.query({ queryEmbeddings: [[0.1, 0.9, 0]], nResults: 1 })
    expect(found.ids).toEqual([['b']])
  })

  test('Qdrant finds the nearest vector', async () => {
    const { QdrantClient } = clients('@qdrant/js-client-rest') as { QdrantClient: new (options: object) => Qdrant }
    const qdrant = new QdrantClient({ url: inject('servers').QDRANT_URL, checkCompatibility: false })
    const name = unique()
    await qdrant.createCollection(name, { vectors: { size: 3, distance: 'Dot' } })
    onTestFinished(async () => void (await qdrant.deleteCollection(name)))
    const points = [
      { id: 1, vector: [1, 0, 0] },
      { id: 2, vector: [0, 1, 0] },
    ]
    await qdrant.upsert(name, { wait: true, points })
    const found = await qdrant.query(name, { query: [0.1, 0.9, 0], limit: 1 })
    expect(found.points.map((point) => point.id)).toEqual([2])
  })
})

describe('a server of a test', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('killed and restarted, PostgreSQL is on the same port with every committed row', async () => {
    const server = await startPostgresql({ own: true, settings: { work_mem: '5MB' } })
    onTestFinished(() => server.stop())
    const before = { url: server.url, pid: server.pid }
    const sql = connectSql(server.url)
    await sql`create table kept (id integer primary key)`
    await sql`insert into kept select generate_series(1, 1000)`

    await server.kill()
    expect(isAlive(before.pid)).toBe(false)
    await server.restart()

    expect(server.url).toBe(before.url)
    expect(server.pid).not.toBe(before.pid)
    const again = connectSql(server.url)
    expect(await again`select count(*)::int as count, current_setting('work_mem') as memory from kept`).toEqual([
      { count: 1000, memory: '5MB' },
    ])
  })

  test('killed and restarted, Redis has every acknowledged value', async () => {
    const server = await startRedis({ own: true })
    onTestFinished(() => server.stop())
    const redis = connectRedis(server.url)
    for (let index = 0; index < 100; index += 1) await redis.set(`key:${index}`, String(index))
    redis.disconnect()
    await server.kill()
    await server.restart()
    expect(await connectRedis(server.url).get('key:99')).toBe('99')
  })

  test('stopped, a server leaves no process and no folder, and does not come back', async () => {
    const server = await startRedis({ own: true })
    const { pid, folder } = server
    expect(isAlive(pid)).toBe(true)
    expect(existsSync(folder)).toBe(true)
    await server.stop()
    await server.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(folder)).toBe(false)
    await expect(server.restart()).rejects.toThrow(/has been stopped/)
  })

  test('is replaced by the one that the environment names, which is left alone', async () => {
    await using own = await startRedis({ own: true })
    vi.stubEnv('REDIS_URL', own.url)
    const named = await startRedis()
    expect(named).toMatchObject({ external: true, url: own.url, port: own.port })
    await named.stop()
    expect(await connectRedis(named.url).set('still', 'here')).toBe('OK')
    await expect(named.kill()).rejects.toThrow(/REDIS_URL/)
    await expect(named.shutdown()).rejects.toThrow(/REDIS_URL/)
    await expect(named.start()).rejects.toThrow(/REDIS_URL/)
    await expect(named.restart()).rejects.toThrow(/REDIS_URL/)
  })

  test('that cannot start says why and how to help it, and leaves no folder', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'servers-test-'))
    onTestFinished(() => rmSync(temporary, { recursive: true }))
    vi.stubEnv('TMPDIR', temporary)
    const start = startRedis({ own: true, settings: { 'no-such-directive': 'x' } })
    await expect(start).rejects.toThrow(/Redis could not be started.*no-such-directive.*set REDIS_URL/s)
    expect(readdirSync(temporary)).toEqual([])
  })

  test('does not outlive a test process that is killed', async () => {
    const holder = hold(serverNames)
    const servers = await firstLine<Pick<Server, 'pid' | 'folder'>[]>(holder)
    expect(servers).toHaveLength(serverNames.length)
    for (const { pid } of servers) expect(isAlive(pid)).toBe(true)

    holder.kill('SIGKILL')

    for (const { pid, folder } of servers) {
      await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 })
      await vi.waitFor(() => expect(existsSync(folder)).toBe(false), { timeout: 10_000 })
    }
  })
})

function hold(names: readonly string[]): ChildProcess {
  const script = fileURLToPath(new URL('./ground/fixtures/hold-servers.ts', import.meta.url))
  const holder = spawn(process.execPath, ['--import', 'tsx', script, ...names], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void holder.kill('SIGKILL'))
  return holder
}

async function firstLine<T>(child: ChildProcess): Promise<T> {
  if (child.stdout === null) throw new Error('the child has no standard output')
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as T
  throw new Error('the child ended without a line')
}

/** A zombie is gone: it only waits for its parent to ask how it ended. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
