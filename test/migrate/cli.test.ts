import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import Database from 'better-sqlite3'
import { Command, CommanderError } from 'commander'
import { describe, expect, onTestFinished, test } from 'vitest'
import { register } from '../../src/cli/migrate.js'
import { BrunoMemoryError } from '../../src/errors.js'
import { migrations } from '../../src/migrate/bundled/sqlite.js'
import { engines, fresh } from './support/fresh.js'

interface Result {
  readonly out: string
  readonly err: string
  readonly code: number | undefined
  readonly error: unknown
}

/** The command as `bruno-memory` runs it; errors are printed by the program around it. */
async function migrate(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  let code: number | undefined
  let error: unknown
  const program = new Command('bruno-memory').exitOverride()
  program.configureOutput({ writeOut: (s) => stdout.write(s), writeErr: (s) => stderr.write(s) })
  const setExitCode = (c: number): void => {
    code = c
  }
  register(program, { stdout, stderr, env, setExitCode })
  await program.parseAsync(['migrate', ...args], { from: 'user' }).catch((e: unknown) => {
    error = e
  })
  return { out: String(stdout.read() ?? ''), err: String(stderr.read() ?? ''), code, error }
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bruno-memory-cli-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

describe.each(engines())('bruno-memory migrate on $dialect', (engine) => {
  test('goes from nothing to current, and says how it stands on the way', async () => {
    const { url, bundle } = await fresh(engine)
    const tags = bundle.migrations.map((m) => m.tag)
    expect(await migrate(['status', '--url', url])).toMatchObject({
      code: 1,
      out: `${tags.map((tag) => `pending  ${tag}\n`).join('')}${tags.length} pending: run \`bruno-memory migrate\`\n`,
    })
    expect(await migrate(['verify', '--url', url])).toMatchObject({ code: 1 })
    expect(await migrate(['drift', '--url', url])).toMatchObject({
      code: undefined,
      error: expect.any(BrunoMemoryError),
    })
    const sql = await migrate(['sql', '--url', url])
    expect(sql).toMatchObject({ code: 0, out: expect.stringMatching(/^-- 0000_initial\n/) })
    expect(sql.out.split('\n').filter((line) => /^-- \d{4}_\w+$/.test(line))).toEqual(tags.map((tag) => `-- ${tag}`))
    expect(await migrate(['--url', url])).toMatchObject({
      code: 0,
      out: expect.stringContaining(` is current: ${tags.length} applied now\n`),
      err: expect.stringContaining(
        tags
          .map((tag, i) => {
            const place = `${tag} (${i + 1} of ${tags.length})`
            return `applying ${place}\napplied ${place}\n`
          })
          .join(''),
      ),
    })
    expect(await migrate(['up', '--url', url])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/ is current\n$/),
      err: '',
    })
    for (const action of ['status', 'verify', 'drift', 'sql'])
      expect(await migrate([action, '--url', url])).toMatchObject({ code: 0, err: '' })
    expect((await migrate(['sql', '--url', url])).out).toBe('')
  })

  test('prints one JSON document where asked', async () => {
    const { url, bundle } = await fresh(engine)
    const tags = bundle.migrations.map((m) => m.tag)
    const json = async (...args: string[]) => JSON.parse((await migrate([...args, '--json', '--url', url])).out)
    expect(await json('status')).toEqual({ applied: [], pending: tags, problems: [] })
    expect((await json('sql')).sql).toContain('0000_initial')
    expect(await json()).toEqual({ applied: tags, elsewhere: [] })
    expect(await json('verify')).toEqual({
      ok: true,
      applied: tags,
      pending: [],
      problems: [],
      differences: [],
    })
    expect(await json('drift')).toEqual({ differences: [] })
  })

  test('exits with 1 on drift, and names it', async () => {
    const database = await fresh(engine)
    await migrate(['--url', database.url])
    await database.exec('DROP INDEX bruno_messages_parent')
    const drift = await migrate(['drift', '--url', database.url])
    expect(drift).toMatchObject({
      code: 1,
      out: expect.stringContaining('missing  index bruno_messages.bruno_messages_parent\n'),
    })
    expect(drift.out).toContain('expected: ')
    expect(await migrate(['verify', '--url', database.url])).toMatchObject({ code: 1 })
    expect(await migrate(['status', '--url', database.url])).toMatchObject({ code: 0 })
  })

  test('a database with a problem is refused by name', async () => {
    const database = await fresh(engine)
    const newest = database.bundle.migrations.at(-1)?.tag
    await migrate(['--url', database.url])
    await database.exec(
      "UPDATE bruno_migrations SET hash = 'edited' WHERE hash LIKE '%' AND created_at = (SELECT max(created_at) FROM bruno_migrations)",
    )
    expect(await migrate(['--url', database.url])).toMatchObject({
      error: { code: 'migration', migration: newest },
    })
    expect(await migrate(['status', '--url', database.url])).toMatchObject({
      code: 1,
      out: expect.stringContaining(`problem  edited: migration ${newest} was edited`),
    })
  })

  test('takes the URL from the environment, ours before DATABASE_URL', async () => {
    const { url } = await fresh(engine)
    expect(await migrate([], { DATABASE_URL: url })).toMatchObject({ code: 0 })
    expect(await migrate(['status'], { BRUNO_MEMORY_URL: url, DATABASE_URL: '/nowhere/at/all.db' })).toMatchObject({
      code: 0,
    })
  })

  test('never prints the URL of a server', async () => {
    const { url } = await fresh(engine)
    const { out, err } = await migrate(['--url', url])
    expect(out + err).not.toContain('postgres:')
  })
})

describe('bruno-memory migrate', () => {
  test.each(['sqlite:', 'file:', 'sqlite://', 'file://', ''])('takes "%s" before a path', async (scheme) => {
    const path = join(folder(), 'memory.db')
    expect(await migrate(['--url', scheme + path])).toMatchObject({
      code: 0,
      out: `${path} is current: ${migrations.length} applied now\n`,
    })
    expect(existsSync(path)).toBe(true)
  })

  test('looking at a file that does not exist does not make it', async () => {
    const path = join(folder(), 'memory.db')
    expect(await migrate(['status', '--url', path])).toMatchObject({ code: 1 })
    expect(await migrate(['sql', '--url', path])).toMatchObject({ code: 0 })
    expect(existsSync(path)).toBe(false)
  })

  test('what cannot be migrated is told with the way out', async () => {
    const here = folder()
    const text = join(here, 'notes.txt')
    writeFileSync(text, 'no database, but long enough to be taken for one: '.repeat(10))
    const message = async (url: string, env = {}) => {
      const { error } = await migrate(url === '' ? [] : ['--url', url], env)
      expect(error).toBeInstanceOf(BrunoMemoryError)
      return (error as Error).message
    }
    expect(await message('')).toContain('pass --url sqlite:./memory.db')
    expect(await message(here)).toContain('is a folder: name a file in it')
    expect(await message(text)).toContain('the file is not a SQLite database')
    expect(await message(join(here, 'none', 'x.db'))).toContain('does not exist: make it first')
    expect(await message('redis://localhost')).toContain('redis: stores have no schema to migrate')
    expect(await message(':memory:')).toContain('name a SQLite file')
    expect(await message('postgres://ada:sesame@127.0.0.1:1/x')).toBe('PostgreSQL cannot be reached (ECONNREFUSED)')
  })

  test.skipIf(process.getuid?.() === 0)('a read-only file is told as such', async () => {
    const path = join(folder(), 'memory.db')
    const client = new Database(path, {})
    client.exec('CREATE TABLE users (id integer)')
    client.close()
    chmodSync(path, 0o444)
    expect((await migrate(['--url', path])).error).toMatchObject({
      code: 'storage',
      message: expect.stringContaining('SQLITE_READONLY'),
    })
  })

  test('help names actions, databases and examples; a wrong action is refused', async () => {
    const { out, error } = await migrate(['--help'])
    expect(error).toMatchObject({ exitCode: 0 })
    for (const text of ['up ', 'status ', 'verify ', 'sql ', 'drift ', 'DATABASE_URL', 'postgres://', 'Examples'])
      expect(out).toContain(text)
    const wrong = await migrate(['sideways'])
    expect(wrong.error).toBeInstanceOf(CommanderError)
    expect(wrong.err).toContain('Allowed choices are up, status, verify, sql, drift')
  })
})
