import postgres from 'postgres'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../../src/backend.js'
import type { Memory } from '../../../src/contract/memory.js'
import { freshDatabase, leaveServer } from '../../postgresql/support/databases.js'
import { memories } from '../../redis/support/memories.js'
import { client, control, fileMemory, type Serve, stop } from './served.js'

/** What holds with a database of many connections, and with counts that all processes share. */
export function behavioursOnServers(name: string, serve: Serve): void {
  const redis = memories()
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  afterAll(leaveServer)

  async function onPostgresql() {
    const url = await freshDatabase()
    const memory = createBackend('postgresql', { connectionString: url, poolSize: 4, tenancy: 'required' }) as Memory
    await memory.connect()
    const held = control()
    const served = await serve({ memory, control: held })
    ends.push(
      () => memory.close(),
      () => stop(served.server),
    )
    return { url, held, ...client(served.url) }
  }

  describe(`PostgreSQL behind ${name}`, () => {
    test('a unit whose connection dies before its commit is a problem for the client', async () => {
      const { url, held, say, heard } = await onPostgresql()
      const waiting = say('a', 'one', 'wait')
      await held.arrived.opened
      const admin = postgres(url, { max: 1, onnotice: () => {} })
      await admin`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'`
      await admin.end()
      held.go.open()
      const { status, type, json } = await waiting
      expect([status, type, json]).toMatchObject([503, 'application/problem+json', { code: 'connection' }])
      expect(await heard('a')).toEqual([])
      expect((await say('a', 'two')).status).toBe(201)
    })

    test('requests of several tenants at once see their own, and duplicates store once', async () => {
      const { say, heard } = await onPostgresql()
      await Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const tenant = `tenant-${n % 5}`
          expect((await say('same', `${tenant} ${n}`, n % 2 ? 'ok' : 'refuse', { tenant })).status).toBe(
            n % 2 ? 201 : 422,
          )
          const contents = (await heard('same', tenant)) as string[]
          expect(contents.filter((content) => !content.startsWith(`${tenant} `))).toEqual([])
        }),
      )
      for (let t = 0; t < 5; t++) expect(await heard('same', `tenant-${t}`)).toHaveLength(5)
      const all = await Promise.all(Array.from({ length: 8 }, () => say('b', 'one', 'ok', { key: 'k1' })))
      expect(new Set(all.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(['201 {"count":1}']))
      expect(await heard('b')).toEqual(['one'])
    })
  })

  describe(`a limit of Redis behind ${name}`, () => {
    test('answers 429 with how it stands, to each user of each tenant apart', async () => {
      const { memory, remove } = await fileMemory()
      const served = await serve({ memory, control: control(), limits: redis.create() })
      ends.push(remove, () => stop(served.server))
      const { call } = client(served.url)
      const left: (string | null)[] = []
      for (let i = 0; i < 3; i++) {
        const { status, headers } = await call('/limited', { user: 'ada' })
        expect([status, headers.get('ratelimit-policy')]).toEqual([200, '"calls";q=3;w=60'])
        left.push(headers.get('ratelimit-remaining'))
      }
      expect(left).toEqual(['2', '1', '0'])
      const { status, type, json, headers } = await call('/limited', { user: 'ada' })
      expect([status, type, json]).toMatchObject([429, 'application/problem+json', { code: 'overloaded', status: 429 }])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(50)
      expect(headers.get('ratelimit')).toMatch(/^"calls";r=0;t=(5\d|60)$/)
      for (const other of [{ user: 'ben' }, { user: 'ada', tenant: 'other' }, {}])
        expect((await call('/limited', other)).status).toBe(200)
      expect((await call('/limited', { tenant: '../acme' })).status).toBe(400)
    })

    test('is a problem while the counts cannot be reached', async () => {
      const { memory, remove } = await fileMemory()
      const limits = redis.create()
      const served = await serve({ memory, control: control(), limits })
      ends.push(remove, () => stop(served.server))
      await limits.close()
      expect(await client(served.url).call('/limited')).toMatchObject({ status: 503, json: { code: 'closed' } })
    })
  })
}
