import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshPrefix, serverUrl } from '../redis/support/memories.js'
import { cli, freshFolder, sample } from './support.js'

const freshUrl = (): string => `${serverUrl()}?prefix=${encodeURIComponent(freshPrefix())}`

describe('a Redis URL', () => {
  test('takes an import and gives an export that another one holds the same by', async () => {
    const [from, to] = [freshUrl(), freshUrl()]
    const imported = await cli(['import', ...sample, '--user', 'ada', '--url', from])
    expect(imported.code, imported.stderr).toBe(0)
    const archive = join(await freshFolder(), 'memory.archive')
    const exported = await cli(['export', archive, '--url', from, '--json'])
    expect(exported.code, exported.stderr).toBe(0)
    expect((await cli(['import', archive, '--url', to])).code).toBe(0)
    expect((await readFile(archive)).length).toBeGreaterThan(100)
    const counts = async (url: string) => JSON.parse((await cli(['stats', '--url', url, '--json'])).stdout) as object
    expect(await counts(to)).toEqual(await counts(from))
    expect(await counts(from)).toMatchObject({ users: 2, documents: 0 })
    const again = await cli(['import', archive, '--url', to, '--json'])
    expect(again.code).toBe(0)
    expect(JSON.stringify(JSON.parse(again.stdout))).not.toMatch(/"imported":[1-9]/)
  })

  test('commands that it has nothing for say so', async () => {
    const url = freshUrl()
    const search = await cli(['search', 'anything', '--url', url])
    expect([search.code, search.stderr]).toEqual([1, expect.stringMatching(/unsupported.*textSearch/)])
    const reindex = await cli(['reindex', '--url', url])
    expect([reindex.code, reindex.stderr]).toEqual([1, expect.stringMatching(/unsupported.*reindex/)])
    const migrate = await cli(['migrate', 'status', '--url', url])
    expect([migrate.code, migrate.stderr]).toEqual([2, expect.stringMatching(/no schema to migrate/)])
  })

  test('a server that is away or a wrong URL is said without the password', async () => {
    for (const [url, said] of [
      ['redis://ada:secret@127.0.0.1:1', /connection.*ECONNREFUSED/],
      ['redis://ada:secret@127.0.0.1/x', /option url: its path/],
      ['redis://ada:secret@127.0.0.1?ttl=5', /option url: takes no parameter but prefix/],
    ] as const) {
      const { code, stdout, stderr } = await cli(['stats', '--url', url])
      expect(code).not.toBe(0)
      expect(stderr).toMatch(said)
      expect(stdout + stderr).not.toContain('secret')
    }
  })
})
