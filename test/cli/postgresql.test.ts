import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { emptyDatabase, freshDatabase, leaveServer } from '../postgresql/support/databases.js'
import { cli, freshFolder, type Outcome, sample } from './support.js'

afterAll(leaveServer)

/** Runs a command; whatever it prints holds no password. */
async function run(args: readonly string[], url: string, env: Record<string, string> = {}): Promise<Outcome> {
  const outcome = await cli(url === '' ? args : [...args, '--url', url], { env })
  for (const each of [url, ...Object.values(env)]) {
    const { password } = URL.canParse(each) ? new URL(each) : { password: '' }
    if (password !== '') expect(outcome.stdout + outcome.stderr, args[0]).not.toContain(password)
  }
  return outcome
}

async function asJson<T>(args: readonly string[], url: string): Promise<T & { code: number }> {
  const { code, stdout, stderr } = await run([...args, '--json'], url)
  expect(stdout, stderr).toMatch(/^\{/)
  return { ...(JSON.parse(stdout) as T), code }
}

async function filled(): Promise<string> {
  const url = await freshDatabase()
  expect((await run(['import', ...sample, '--user', 'ada'], url)).code).toBe(0)
  return url
}

async function ask<T extends object>(url: string, text: string): Promise<T[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return (await sql.unsafe(text)) as unknown as T[]
  } finally {
    await sql.end()
  }
}

const changed = (url: string, url2: Partial<Record<'username' | 'password' | 'pathname' | 'port', string>>): string =>
  Object.assign(new URL(url), url2).href

describe('a PostgreSQL URL', () => {
  interface Exported {
    readonly memory: string
    readonly manifest: { counts: Record<string, number>; contentDigests: Record<string, string> }
  }

  test('is imported into, makes the schema, and the same import again changes nothing', async () => {
    const url = await emptyDatabase()
    const dry = await run(['import', ...sample, '--user', 'ada', '--dry-run'], url)
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('all of it can be imported')])
    expect(await ask(url, "select 1 from pg_class where relname like 'bruno_%'")).toEqual([])
    const first = await run(['import', ...sample, '--user', 'ada'], url)
    expect([first.code, first.stdout]).toEqual([0, expect.stringContaining('imported into the PostgreSQL database')])
    const again = await run(['import', ...sample, '--user', 'ada'], url)
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('nothing changed')])
    expect(await asJson(['stats'], url)).toMatchObject({ memory: 'the PostgreSQL database', users: 2, messages: 242 })
    expect((await run(['stats', '--user', 'ada'], url)).stdout).toMatch(/^the PostgreSQL database, tenant default/)
  })

  test('is exported to what an SQLite file is made of, and the other way round', async () => {
    const url = await filled()
    const folder = await freshFolder()
    const one = await asJson<Exported>(['export', join(folder, '1.bma')], url)
    expect(one).toMatchObject({ code: 0, manifest: { counts: { user: 2, conversation: 14, message: 242 } } })
    const file = join(folder, 'memory.db')
    expect((await run(['import', join(folder, '1.bma')], file)).code).toBe(0)
    const two = await asJson<Exported>(['export', join(folder, '2.bma')], file)
    const other = await emptyDatabase()
    expect((await run(['import', join(folder, '2.bma')], other)).code).toBe(0)
    const three = await asJson<Exported>(['export', join(folder, '3.bma')], other)
    for (const { manifest } of [two, three]) expect(manifest.contentDigests).toEqual(one.manifest.contentDigests)
    expect((await run(['export', '-', '--user', 'bruno'], url)).bytes.length).toBeGreaterThan(1000)
  })

  test('is searched, and told for a prompt', async () => {
    const url = await filled()
    const { stdout, code } = await run(['search', 'kidneys', '--limit', '1', '--explain'], url)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^0\.\d{3} {2}(user|assistant), 20\d\d-.*\n.*kidney/)])
    const made = await run(['context', '--user', 'ada', '--text', 'kidneys', '--max-tokens', '500'], url)
    expect([made.code, made.stderr]).toEqual([0, expect.stringMatching(/\d+ tokens: \d+ messages/)])
    const meant = await run(['search', 'a boat', '--mode', 'vector', '--embeddings', 'offline'], url)
    expect([meant.code, meant.stderr]).toEqual([1, expect.stringContaining('pgvector')])
  })

  test('is opened in the language that it was indexed in', async () => {
    const url = await freshDatabase()
    const memory = createBackend(url, { language: 'german', poolSize: 1 })
    await memory.messages.append('c', { role: 'user', content: 'die schönsten Häuser' }, { userId: 'u' })
    await memory.close()
    expect((await run(['search', 'Haus'], url)).stdout).toContain('Häuser')
    const other = await run(['stats', '--language', 'english'], url)
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("language: 'german'")])
  })

  test('is taken from the environment', async () => {
    const url = await filled()
    expect((await run(['stats'], '', { DATABASE_URL: url })).stdout).toContain('messages')
    expect((await run(['stats'], '', { BRUNO_MEMORY_URL: url, DATABASE_URL: 'x:y' })).code).toBe(0)
  })

  test('of no memory is refused by what only reads, and nothing is made', async () => {
    const url = await emptyDatabase()
    const folder = await freshFolder()
    const commands = [['search', 'x'], ['stats'], ['context', '--user', 'ada'], ['export', join(folder, 'x')]]
    for (const args of [...commands, ['reindex'], ['reembed', '--embeddings', 'offline']])
      expect(await run(args, url), args[0]).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error \(connection\): there is no memory in the PostgreSQL database: .*\n$/),
      })
    expect(await ask(url, "select 1 from pg_class where relname like 'bruno_%'")).toEqual([])
    expect(await readdir(folder)).toEqual([])
  })

  test('of an older schema is brought up to date by an import only', async () => {
    const url = await freshDatabase()
    await ask(url, 'delete from bruno_migrations where created_at = (select max(created_at) from bruno_migrations)')
    for (const args of [['stats'], ['reindex'], ['reembed', '--embeddings', 'offline']])
      expect(await run(args, url), args[0]).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error \(migration\): .* is not applied yet: run `npx bruno-memory migrate`\n$/),
      })
    expect((await run(['doctor'], url)).stdout).toContain('1 migrations are pending')
  })
})

describe('a server that refuses', () => {
  const commands = [
    ['search', 'x'],
    ['stats'],
    ['context', '--user', 'ada'],
    ['export', '-'],
    ['import', ...sample],
    ['reindex'],
    ['reembed', '--embeddings', 'offline'],
    ['migrate', 'status'],
  ]
  const told = async (url: string, text: RegExp): Promise<void> => {
    for (const args of commands) {
      const { code, stdout, stderr } = await run(args, url)
      expect([code, stderr, stdout], args[0]).toEqual([1, expect.stringMatching(/^error \(connection\): .*\n$/), ''])
      expect(stderr).toMatch(text)
    }
    const { code, stdout } = await run(['doctor'], url)
    expect([code, stdout]).toEqual([1, expect.stringMatching(/FAILED {3}connection/)])
    expect(stdout).toMatch(text)
  }

  test('a wrong password, a missing database and a server that is not there are said in one line', async () => {
    const url = await freshDatabase()
    await told(changed(url, { password: 'w-r-o-n-g' }), /refuses the user or the password/)
    await told(changed(url, { pathname: '/no_such_database' }), /does not exist/)
    await told(changed(url, { port: '9' }), /cannot be reached \(ECONNREFUSED\)/)
  })

  test('a URL that cannot be read, or stands where none belongs, is not repeated', async () => {
    const folder = await freshFolder()
    await writeFile(join(folder, 'x'), '')
    const secret = 's3cret-pw'
    const url = `postgres://ada:${secret}@127.0.0.1:9/app`
    for (const args of [
      ['stats', '--url', `postgres://ada:${secret}@host:notaport/app`],
      ['stats', '--url', `postgres://ada:${secret}@[::/app`],
      ['stats', '--url', `redis://ada:${secret}@localhost`],
      ['reindex', '--url', `redis://ada:${secret}@localhost`],
      ['doctor', '--url', `redis://ada:${secret}@localhost`],
      ['stats', `--urls=${url}`],
      ['stats', url],
      [url],
      ['import', url],
      ['import', join(folder, 'x'), '--format', url],
      ['import', ...sample, '--report', url, '--url', join(folder, 'm.db')],
      ['export', url, '--url', url],
      ['stats', '--url', `postgres://127.0.0.1:9/app?user=ada&password=${secret}`],
    ]) {
      const { code, stdout, stderr } = await cli(args)
      expect(`${stdout}${stderr}`, args.join(' ')).not.toContain(secret)
      expect(code === 0, args.join(' ')).toBe(args[0] === 'doctor')
    }
  })
})

describe('bruno-memory doctor', () => {
  interface Diagnosis {
    readonly memory: string
    readonly ok: boolean
    readonly checks: { name: string; status: string; found: string; mend?: string }[]
  }
  const examined = async (url: string) => {
    const { checks, ...rest } = await asJson<Diagnosis>(['doctor'], url)
    for (const check of checks) if (check.status !== 'ok') expect(check.mend).toBeTruthy()
    return {
      ...rest,
      checks,
      bad: checks.flatMap((c) => (c.status === 'ok' ? [] : [`${c.status} ${c.name}: ${c.found}`])),
    }
  }

  test('finds a healthy memory healthy, and changes nothing', async () => {
    const url = await filled()
    const { checks, ...rest } = await examined(url)
    const superuser = 'warning role: is a superuser: no right and no policy holds for it'
    expect(rest).toEqual({ code: 0, ok: true, memory: 'the PostgreSQL database', bad: [superuser] })
    const names = 'node client server role connections durability schema drift analyzer expiry tenants'.split(' ')
    expect(checks.map((c) => c.name)).toEqual([...names, 'search index', 'vectors', 'probe'])
    const found = Object.fromEntries(checks.map((c) => [c.name, c.found]))
    expect(found).toMatchObject({
      server: expect.stringMatching(/^PostgreSQL \d+/),
      connections: expect.stringMatching(/^\d+ of \d+ used$/),
      durability: 'fsync on, synchronous_commit on',
      tenants: '1',
    })
    expect(await asJson(['stats'], url)).toMatchObject({ users: 2, messages: 242 })
    expect((await run(['doctor'], url)).stdout).toContain('all is well')
  })

  test('names each fault and how to mend it', async () => {
    const url = await filled()
    await ask(
      url,
      `alter table bruno_messages add column mine text; alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off;
      update bruno_conversations set expires_at = now() - interval '1 day' where id in (select id from bruno_conversations limit 3);
      insert into bruno_users (tenant_id, id, preferences, profile, metadata, created_at, updated_at, version, revision)
        select t, 'u', '{}', '{}', '{}', now(), now(), 1, 0 from unnest(array['a', 'b', 'ü']) as t`,
    )
    const sick = await examined(url)
    expect(sick).toMatchObject({ code: 1, ok: false })
    expect(sick.bad.slice(1)).toEqual([
      'warning durability: fsync on, synchronous_commit off',
      expect.stringMatching(/^failure drift: .*bruno_messages\.mine/),
      'warning expiry: 3 records have expired and are still stored',
    ])
    expect(sick.checks.find((c) => c.name === 'tenants')?.found).toBe('4')
    await ask(url, "update bruno_analyzers set stemmer_version = 'unfinished'")
    expect((await examined(url)).bad).toContain('failure analyzer: a reindex was ended half-way')
  })

  /** The URL of a role with no more rights than an application needs. */
  async function limited(url: string): Promise<{ name: string; url: string; [Symbol.asyncDispose](): Promise<void> }> {
    const name = `${new URL(url).pathname.slice(1)}_app`
    await ask(url, `create role ${name} login password 'app-pw'`)
    return {
      name,
      url: changed(url, { username: name, password: 'app-pw' }),
      [Symbol.asyncDispose]: async () => void (await ask(url, `drop owned by ${name}; drop role ${name}`)),
    }
  }

  test('works with the rights of an application', async () => {
    const url = await filled()
    await using role = await limited(url)
    await ask(
      url,
      `grant all on all tables in schema public to ${role.name};
        grant usage on all sequences in schema public to ${role.name};
        revoke create on database ${new URL(url).pathname.slice(1)} from public`,
    )
    const { code, bad } = await examined(role.url)
    expect([code, bad]).toEqual([0, ['warning drift: the role may not make what to compare with']])
  })

  test('and every other command work under row-level security', async () => {
    const url = await filled()
    await using role = await limited(url)
    expect((await run(['migrate', '--row-level-security', '--grant-to', role.name], url)).code).toBe(0)
    const { code, bad, checks } = await examined(role.url)
    expect([code, bad.filter((each) => !each.startsWith('warning drift'))]).toEqual([0, []])
    expect(checks.find((c) => c.name === 'tenants')?.found).toMatch(/row-level security/)
    expect(await asJson(['stats'], role.url)).toMatchObject({ messages: 242 })
    expect(await asJson(['stats', '--tenant', 'other'], role.url)).toMatchObject({ messages: 0 })
    expect((await run(['search', 'kidneys'], role.url)).stdout).toContain('kidney')
    const file = join(await freshFolder(), 'x.bma')
    expect((await run(['export', file], role.url)).code).toBe(0)
    expect((await run(['import', file, '--tenant', 'copy'], role.url)).code).toBe(0)
    expect(await asJson(['stats', '--tenant', 'copy'], role.url)).toMatchObject({ messages: 242 })
    const hidden = expect.stringContaining('row-level security hides records from this role')
    expect(await run(['reindex'], role.url)).toMatchObject({ code: 1, stderr: hidden })
    expect((await run(['reindex'], url)).stdout).toBe('484 texts indexed, language english\n')
  })
})
