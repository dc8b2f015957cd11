import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { cli, filled, json } from './support.js'

describe('bruno-memory doctor', () => {
  interface Diagnosis {
    readonly ok: boolean
    readonly checks: { name: string; status: string; found: string; mend?: string }[]
  }
  const examined = async (url: string) => {
    const { ok, checks, code } = await json<Diagnosis>(['doctor', '--url', url])
    return {
      code,
      ok,
      bad: checks.filter((c) => c.status !== 'ok').map((c) => `${c.status} ${c.name}: ${c.found}`),
      checks,
    }
  }

  test('finds a healthy memory healthy, and changes nothing', async () => {
    const { url } = await filled()
    const { code, ok, bad, checks } = await examined(url)
    expect({ code, ok, bad }).toEqual({ code: 0, ok: true, bad: [] })
    expect(checks.map((c) => c.name)).toEqual([
      'node',
      'client',
      'folder',
      'file',
      'schema',
      'integrity',
      'references',
      'log',
      'analyzer',
      'expiry',
      'tenants',
      'search index',
      'probe',
    ])
    expect(await json(['stats', '--url', url])).toMatchObject({ users: 2 })
    expect((await cli(['doctor', '--url', url])).stdout).toContain('all is well')
  })

  test('names each fault and how to mend it', async () => {
    const { folder, url } = await filled()
    const text = join(folder, 'text.db')
    await writeFile(text, 'this is no database at all')
    expect((await examined(text)).bad).toEqual([`failure file: ${text} is no SQLite database`])
    await mkdir(join(folder, 'sub'))
    expect((await examined(join(folder, 'sub'))).bad[0]).toContain('is not a file')
    expect((await examined(join(folder, 'no', 'x.db'))).bad[0]).toContain('does not exist')
    const empty = join(folder, 'empty.db')
    new Sqlite(empty).exec('create table mine (x)').close()
    expect((await examined(empty)).bad).toContainEqual(
      expect.stringMatching(/^failure schema: \d+ migrations are pending$/),
    )
    const client = new Sqlite(url)
    client.pragma('foreign_keys = OFF')
    client.exec("update bruno_messages set conversation_id = 'gone' where seq = 3")
    client.exec(
      "insert into bruno_messages_search (bruno_messages_search, rowid, search_text) values ('delete', 5, 'not what is there')",
    )
    client.exec('update bruno_conversations set expires_at = 1 where rowid = 1')
    client.close()
    const sick = await examined(url)
    expect(sick.code).toBe(1)
    expect(sick.bad).toEqual([
      'failure references: 1 rows of bruno_messages belong to nothing',
      'warning expiry: 1 records have expired and are still stored',
      'failure search index: bruno_messages_search differ from the rows',
    ])
    for (const check of sick.checks) if (check.status !== 'ok') expect(check.mend).toBeTruthy()
  })

  test('finds damaged pages', async () => {
    const { url } = await filled()
    const client = new Sqlite(url)
    client.pragma('journal_mode = DELETE')
    client.close()
    const bytes = await readFile(url)
    bytes.fill(0x5a, 4096 * 5, 4096 * 9)
    await writeFile(url, bytes)
    const { code, bad } = await examined(url)
    expect(code).toBe(1)
    expect(bad.join('\n')).toMatch(/failure (integrity|content|schema)/)
  })

  test.skipIf(process.getuid?.() === 0)('says that a file is read-only', async () => {
    const { url } = await filled()
    await chmod(url, 0o400)
    expect((await examined(url)).bad[0]).toContain('is read-only')
  })
})
