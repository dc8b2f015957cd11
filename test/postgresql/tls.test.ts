import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { PostgresqlOptions } from '../../src/contract/options.js'
import { ownPostgresql } from '../ground/index.js'

// A certificate for localhost that nobody signed but itself; its key is for this test alone.
const file = (name: string): string => readFileSync(join(import.meta.dirname, 'support/tls', name), 'utf8')
let server: Awaited<ReturnType<typeof ownPostgresql>>

beforeAll(async () => {
  server = await ownPostgresql()
  const sql = postgres(server.url, { max: 1 })
  const [{ folder } = { folder: '' }] = await sql`select current_setting('data_directory') as folder`
  // Written by the server itself: it refuses a key that is not its own user's alone.
  for (const name of ['server.crt', 'server.key'])
    await sql.unsafe(
      `copy (select unnest(string_to_array('${file(name).trim()}', e'\\n'))) to program 'umask 077; cat > ${folder}/${name}'`,
    )
  await sql.unsafe('alter system set ssl = on')
  await sql.unsafe('select pg_reload_conf()')
  await sql.end()
})
afterAll(() => server.stop())

/** Opens a memory, and tells whether its connections are encrypted. */
async function encrypted(options: Partial<PostgresqlOptions>, query = ''): Promise<boolean> {
  const memory = createBackend('postgresql', {
    connectionString: server.url + query,
    applicationName: 'tls-test',
    connectTimeout: 3000,
    ...options,
  })
  const sql = postgres(server.url, { max: 1 })
  try {
    await memory.users.create({ name: 'ada' })
    const rows =
      await sql`select s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid) where application_name = 'tls-test'`
    return rows.length > 0 && rows.every((row) => row.ssl === true)
  } finally {
    await memory.close()
    await sql.end()
  }
}

describe('TLS', () => {
  test('encrypts with require, in the options and in the URL', async () => {
    expect(await encrypted({ ssl: 'require' })).toBe(true)
    expect(await encrypted({}, '?sslmode=require')).toBe(true)
    expect(await encrypted({})).toBe(false)
  })

  test('checks the certificate with verify-full and true, against an authority that is given', async () => {
    const refused = { code: 'connection' }
    await expect(encrypted({ ssl: 'verify-full' })).rejects.toMatchObject(refused)
    await expect(encrypted({ ssl: true })).rejects.toMatchObject(refused)
    expect(await encrypted({ ssl: { ca: file('server.crt') } })).toBe(true)
    await expect(encrypted({ ssl: { ca: file('server.crt'), servername: 'elsewhere' } })).rejects.toMatchObject(refused)
  })
})
