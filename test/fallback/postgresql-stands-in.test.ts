import { join } from 'node:path'
import postgres from 'postgres'
import { beforeAll, expect, test } from 'vitest'
import { prepare } from '../../src/backend.js'
import { secureDatabase } from '../../src/backends/postgresql/open.js'
import type { Link } from '../../src/fallback/member.js'
import { createBackend } from '../../src/index.js'
import { ownPostgresql, type Server } from '../ground/index.js'
import { contents, folder, link, Moody, openChain, refused, says, until } from './support.js'

let server: Server
beforeAll(async () => {
  server = await ownPostgresql()
  return () => server.stop()
})

async function database(name: string): Promise<string> {
  const admin = postgres(server.url, { max: 1 })
  await admin.unsafe(`create database ${name}`)
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return url.href
}

/** Chains over one SQLite file and one PostgreSQL database, each as another process would have it. */
async function chains(count: number, standIn: () => Link) {
  const path = join(await folder(), 'first.db')
  const moody = new Moody()
  const memories = []
  for (let i = 0; i < count; i++)
    memories.push(await openChain([link(path, moody), standIn()], { checkInterval: 50, callTimeout: 500 }))
  return { moody, memories }
}

test('two processes write to PostgreSQL while the first backend is away, and what they wrote is handed back', async () => {
  const url = await database('two')
  const { moody, memories } = await chains(2, () => prepare(url, { poolSize: 6 }))
  moody.mood = 'away'
  let running = true
  const counts = memories.flatMap((memory, i) =>
    [0, 1, 2].map(async (j) => {
      let n = 0
      for (; running; n++) await memory.messages.append(`c${i}${j}`, says(`${n}`), { userId: 'ada' })
      return n
    }),
  )
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 400))
    moody.up()
    await until(() => memories.every((memory) => !memory.status().degraded), 30_000)
    moody.mood = 'away'
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  running = false
  const written = await Promise.all(counts)
  moody.up()
  const [memory] = memories
  await until(() => memories.every((each) => !each.status().degraded && each.status().journal === 0), 30_000)
  for (const [i, n] of written.entries())
    expect(await contents(memory as (typeof memories)[0], `c${Math.floor(i / 3)}${i % 3}`)).toEqual(
      Array.from({ length: n }, (_, k) => `${k}`),
    )
  expect(memories.map((each) => each.status().parked)).toEqual([[], []])
  const sql = postgres(url, { max: 1 })
  await expect
    .poll(
      async () =>
        (
          await sql`select (select count(*) from bruno_journal)::int + (select count(*) from bruno_messages)::int as n`
        )[0]?.n,
      { timeout: 20_000 },
    )
    .toBe(0)
  await sql.end()
})

test('under row-level security it needs a maintenance connection, and keeps the tenants apart', async () => {
  const superuser = await database('secured')
  const setup = createBackend(superuser)
  await setup.connect()
  await setup.close()
  const admin = postgres(superuser, { max: 1 })
  await admin.unsafe("create role application login password 'application'")
  await secureDatabase(superuser, 'application')
  const application = new URL(superuser)
  application.username = 'application'
  application.password = 'application'
  const options = { poolSize: 3, rowLevelSecurity: true }
  const secured = (more: object) => () => prepare(application.href, { ...options, ...more })
  const error = await refused(() => chains(1, secured({})), 'configuration')
  expect(error.message).toMatch(/maintenanceConnectionString/)
  const { moody, memories } = await chains(1, secured({ maintenanceConnectionString: superuser }))
  const [memory] = memories as [(typeof memories)[0]]
  moody.mood = 'away'
  for (const tenant of ['a', 'b']) await memory.forTenant(tenant).messages.append('c', says(tenant), { userId: 'ada' })
  expect((await admin`select tenant_id from bruno_journal order by seq`).map((row) => row.tenant_id)).toEqual([
    'a',
    'b',
  ])
  const plain = postgres(application.href, { max: 1 })
  expect(await plain`select * from bruno_journal`).toHaveLength(0)
  await plain.end()
  moody.up()
  await until(() => !memory.status().degraded)
  for (const tenant of ['a', 'b'])
    expect((await memory.forTenant(tenant).messages.list('c')).items.map(({ content }) => content)).toEqual([tenant])
  await admin.end()
})
