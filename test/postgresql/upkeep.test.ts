import postgres from 'postgres'
import { afterAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { reembedPostgresql } from '../../src/backends/postgresql/reembed.js'
import { reindexPostgresql } from '../../src/backends/postgresql/reindex.js'
import type { Memory } from '../../src/contract/memory.js'
import type { PostgresqlOptions } from '../../src/contract/options.js'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { cli } from '../cli/support.js'
import { wordModel } from '../conformance/vectors-fixtures.js'
import { startPglite } from '../ground/pglite.js'
import { freshDatabase, leaveServer } from './support/databases.js'

afterAll(leaveServer)

async function withMemory<T>(
  connectionString: string,
  options: Partial<PostgresqlOptions>,
  work: (memory: Memory) => Promise<T>,
): Promise<T> {
  const memory = createBackend('postgresql', { connectionString, poolSize: 1, ...options })
  try {
    await memory.connect()
    return await work(memory)
  } finally {
    await memory.close()
  }
}

async function withSql<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

const says = (content: string) => ({ role: 'user' as const, content })
/** In two tenants, so that a batch ends in one and the next begins in the other. */
async function houses(options: Partial<PostgresqlOptions> = {}): Promise<string> {
  const url = await freshDatabase()
  await withMemory(url, options, async (memory) => {
    for (const [tenant, n] of [
      ['a', 700],
      ['Ä', 500],
    ] as const)
      await memory.forTenant(tenant).messages.append(
        'c',
        Array.from({ length: n }, (_, i) => says(`Die Häuser Nummer ${i}`)),
        { userId: 'u' },
      )
    await memory.memories.add({ userId: 'u', content: 'Die Häuser sind alt', tags: ['Gärten'], category: 'Städte' })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'Häuser', metadata: { title: 'Wälder' } })
  })
  return url
}

const found = (url: string, text: string, tenant: string, options: Partial<PostgresqlOptions>): Promise<number> =>
  withMemory(url, options, async (memory) => (await memory.forTenant(tenant).search({ text, limit: 1000 })).length)

const reindex = (url: string, language?: string | null, onProgress?: (p: { done: number; total: number }) => void) =>
  reindexPostgresql({ connectionString: url, language, clock: Date.now, onProgress })

describe('reindex', () => {
  test('finds every record by the words of its new language', async () => {
    const url = await houses()
    expect(await found(url, 'Haus', 'a', {})).toBe(0)
    const progress: number[] = []
    const report = await reindex(url, 'german', ({ done }) => progress.push(done))
    expect(report).toEqual({ language: 'german', rows: 1202 })
    expect(progress).toEqual([500, 1000, 1200, 1201, 1202])
    const german = { language: 'german' }
    expect([await found(url, 'Haus', 'a', german), await found(url, 'Haus', 'Ä', german)]).toEqual([700, 500])
    for (const text of ['Garten', 'Stadt', 'Wald']) expect(await found(url, text, 'default', german), text).toBe(1)
    await expect(withMemory(url, {}, async () => {})).rejects.toThrow(/language: 'german'/)
  })

  test('is a command: for another language, for none, and as it was', async () => {
    const url = await houses()
    const outcome = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli(['reindex', '--url', url, ...args])
      return [code, stdout, stderr]
    }
    expect(await outcome('--language', 'german')).toEqual([0, '1,202 texts indexed, language german\n', ''])
    const [, printed] = await outcome('--json')
    expect(JSON.parse(String(printed))).toEqual({
      memory: 'the PostgreSQL database',
      language: 'german',
      rows: 1202,
    })
    expect(await outcome('--language', 'none')).toEqual([0, '1,202 texts indexed, language none\n', ''])
    await withMemory(url, { enableFts: false }, (memory) => memory.messages.append('x', says('hi'), { userId: 'u' }))
    expect(await outcome('--language', 'klingon')).toEqual([2, '', expect.stringContaining('klingon')])
  })

  test('analyses messages in the language of their conversation', async () => {
    const url = await freshDatabase()
    await withMemory(url, {}, async (memory) => {
      await memory.conversations.create({ id: 'd', userId: 'u', language: 'german' })
      await memory.messages.append('d', says('die schönsten Häuser'))
    })
    await withSql(url, (sql) => sql`update bruno_messages set search_text = ''`)
    await withSql(url, (sql) => sql`update bruno_analyzers set stemmer_version = 'old' where id <> 'default'`)
    await expect(withMemory(url, {}, async () => {})).rejects.toThrow(/german were indexed with another analyzer/)
    await reindex(url)
    expect(await found(url, 'Haus', 'default', {})).toBe(1)
  })

  test('takes long texts a few at a time', async () => {
    const url = await freshDatabase()
    const long = 'x '.repeat(1.5 * 1024 * 1024)
    await withMemory(url, {}, async (memory) => {
      for (let i = 0; i < 7; i++) await memory.memories.add({ userId: 'u', content: `${i} ${long}` })
    })
    const progress: number[] = []
    await reindex(url, 'english', ({ done }) => progress.push(done))
    expect(progress).toEqual([3, 6, 7])
  })

  test('writes nothing where nothing differs, and tells no follower', async () => {
    const url = await houses()
    const rows = () =>
      withSql(url, (sql) => sql`select xmin, version, revision from bruno_messages order by tenant_id, seq`)
    const before = await rows()
    await reindex(url)
    expect(await rows()).toEqual(before)
  })

  test('opens for nobody while it is half-way, and for everybody when it was run again', async () => {
    const url = await houses()
    const stop = new Error('stopped')
    const stopped = reindex(url, 'german', () => {
      throw stop
    })
    await expect(stopped).rejects.toBe(stop)
    for (const language of ['english', 'german'])
      await expect(withMemory(url, { language }, async () => {})).rejects.toThrow(/bruno-memory reindex/)
    expect(await reindex(url)).toEqual({ language: 'german', rows: 1202 })
    expect(await found(url, 'Haus', 'Ä', { language: 'german' })).toBe(500)
  })

  test('is refused while another one runs, and ends with its connection', async () => {
    const url = await houses()
    await withSql(url, async (sql) => {
      await sql.unsafe(`select pg_advisory_lock(${0x6272756e}, ${0x6d61696e})`)
      await expect(reindex(url, 'german')).rejects.toMatchObject({ code: 'conflict' })
      await sql.unsafe(`select pg_advisory_unlock(${0x6272756e}, ${0x6d61696e})`)
      let cut: Promise<unknown> | null = null
      const lost = reindex(url, 'german', () => {
        const kill = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 2"
        cut ??= sql.unsafe(kill).execute()
      })
      await expect(lost).rejects.toMatchObject({ code: 'connection' })
      await cut
    })
    expect(await reindex(url, 'english')).toMatchObject({ rows: 1202 })
  })

  test('indexes what is written meanwhile as it is, not as it was', async () => {
    const url = await houses()
    await withMemory(url, {}, async (memory) => {
      const items = [...(await memory.forTenant('a').messages.list('c', { last: 400 })).items]
      const writes: Promise<unknown>[] = []
      await reindex(url, undefined, () => {
        for (const { id } of items.splice(0, 100))
          writes.push(memory.forTenant('a').messages.update('c', id, { content: 'a walnut tree' }))
      })
      await Promise.all(writes)
      expect(writes.length).toBe(400)
    })
    const agrees = (sql: postgres.Sql) => sql`select count(*)::int as n from bruno_messages
      where (content like '%walnut%') = (search_text like '%walnut%') and (content like '%Nummer%') = (search_text like '%nummer%')`
    expect(await withSql(url, agrees)).toEqual([{ n: 1200 }])
  })

  test('refuses a role from which policies hide what it would have to index', async () => {
    const url = await houses()
    const role = `${new URL(url).pathname.slice(1)}_app`
    await withSql(url, (sql) =>
      sql.unsafe(`create role ${role} login password 'app'; grant all on all tables in schema public to ${role};
        alter table bruno_messages enable row level security`),
    )
    try {
      const limited = Object.assign(new URL(url), { username: role, password: 'app' }).href
      await expect(reindex(limited)).rejects.toThrow(/row-level security hides records/)
      expect(await reindex(url)).toMatchObject({ rows: 1202 })
    } finally {
      await withSql(url, (sql) => sql.unsafe(`drop owned by ${role}; drop role ${role}`))
    }
  })
})

describe('reembed', () => {
  const run = async (connectionString: string, model: string, dropOld = false) => {
    let n = 0
    const progress: { done: number; total: number }[] = []
    const report = await reembedPostgresql({
      connectionString,
      vectors: {
        embedder: createEmbedder({ embeddingFunction: wordModel(model) }),
        metric: 'cosine',
        dimensions: null,
        model: 'records',
      },
      dropOld,
      clock: Date.now,
      newId: () => `run-${n++}`,
      onProgress: (each) => progress.push(each),
    })
    return { report, progress }
  }

  test('says what to add where the server cannot compare vectors', async () => {
    const url = await houses()
    await expect(run(url, 'first')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/no pgvector: .*create extension vector/),
    })
    const { code, stderr } = await cli(['reembed', '--embeddings', 'offline', '--url', url])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error \(unsupported\): .*create extension vector.*\n$/)])
  })

  test('makes every vector anew in the space of another model, which opens the store from then on', async () => {
    const server = await startPglite()
    try {
      const { url } = server
      const open = <T>(model: string, work: (memory: Memory) => Promise<T>) =>
        withMemory(url, { embeddingFunction: wordModel(model) }, work)
      await open('first', async (memory) => {
        const contents = Array.from({ length: 300 }, (_, i) => (i === 7 ? 'a ferry' : `garden ${i}`))
        await memory.memories.addMany(contents.map((content, i) => ({ id: `${i}`, userId: 'u', content })))
        await memory.settle()
      })
      const { report, progress } = await run(url, 'second')
      expect(report).toMatchObject({ space: { model: 'second' }, vectors: 300, parked: 0, kept: 300, dropped: 0 })
      expect(progress.at(-1)).toEqual({ done: 300, total: 300 })
      await expect(open('first', async () => {})).rejects.toMatchObject({ code: 'configuration' })
      await open('second', async (memory) => {
        const [hit] = await memory.search({ text: 'boat', mode: 'vector', kinds: ['memory'] })
        expect(hit?.record.id).toBe('7')
      })
      expect((await run(url, 'second', true)).report).toMatchObject({ vectors: 300, kept: 0, dropped: 300 })
      expect(await withSql(url, (sql) => sql`select count(*)::int as n from bruno_vectors`)).toEqual([{ n: 300 }])
    } finally {
      await server.stop()
    }
  })
})
