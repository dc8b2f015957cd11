import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { cli, freshFolder } from '../cli/support.js'
import { foundIn, plant } from './canaries.js'

async function filled() {
  const folder = await freshFolder()
  const databasePath = join(folder, 'memory.db')
  const memory = createBackend('sqlite', { databasePath })
  for (const who of ['ada', 'bob']) await plant(memory.forTenant('acme'), who, { vectors: false })
  await memory.close()
  return { folder, databasePath, url: `sqlite:${databasePath}` }
}

describe('bruno-memory erase', () => {
  test('without --yes only counts, and says so', async () => {
    const { url, databasePath } = await filled()
    const before = readFileSync(databasePath)
    const { code, stdout, stderr } = await cli(['erase', '--url', url, '--tenant', 'acme', '--user', 'ada'])
    expect(code).toBe(1)
    expect(stderr).toContain('add --yes')
    expect(stdout).toMatch(/bruno_messages\s+5\n/)
    expect(readFileSync(databasePath).equals(before)).toBe(true)
    expect((await cli(['erase', '--url', url, '--tenant', 'acme', '--user', 'ada', '--dry-run'])).code).toBe(0)
  })

  test('with --yes erases, and writes its report', async () => {
    const { url, databasePath, folder } = await filled()
    const report = join(folder, 'report.json')
    const given = ['erase', '--url', url, '--tenant', 'acme', '--user', 'ada', '--yes', '--report', report]
    const { code, stdout } = await cli([...given, '--export', 'old.jsonl.gz'])
    expect(code).toBe(0)
    expect(stdout).toContain('not touched: old.jsonl.gz')
    expect(stdout).toContain('nothing is left\n')
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({
      subject: { tenantId: 'acme', userId: 'ada' },
      exports: [{ path: 'old.jsonl.gz', touched: false }],
      complete: true,
    })
    expect(foundIn([databasePath], 'ada')).toEqual([])
    expect(foundIn([databasePath], 'bob').length).toBeGreaterThan(10)
  })

  test('--no-scrub leaves the file as deletion leaves it, and is no failure', async () => {
    const { url } = await filled()
    const { code, stdout } = await cli(['erase', '--url', url, '--tenant', 'acme', '--yes', '--no-scrub', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ erased: true, scrubbed: false, complete: false })
  })

  test('a wrong word ends it before anything is erased', async () => {
    const { url, folder } = await filled()
    const wrong = async (...args: string[]) => (await cli(['erase', '--url', url, '--yes', ...args])).code
    expect(await wrong()).toBe(2)
    expect(await wrong('--tenant', '')).toBe(2)
    expect(await wrong('--tenant', 'acme', '--user', '')).toBe(2)
    expect(await wrong('--tenant', 'acme', '--wait', 'long')).toBe(2)
    expect(await wrong('--tenant', 'acme', '--report', join(folder, 'none', 'report.json'))).toBe(2)
    expect(await wrong('--tenant', 'acme', '--embedding-cache', `sqlite:${join(folder, 'none.db')}`)).toBe(2)
    expect((await cli(['stats', '--url', url, '--tenant', 'acme', '--json'])).stdout).toMatch(/"users": 2/)
  })

  test('removes vectors from a cache of embeddings', async () => {
    const { url, folder } = await filled()
    const path = join(folder, 'cache.db')
    const { SqliteEmbeddingCache } = await import('../../src/backends/sqlite/embedding-cache.js')
    const { hashOf } = await import('../../src/backends/sql/vector-making.js')
    const cache = new SqliteEmbeddingCache(path)
    const of = (text: string, n: number) => ({ hash: hashOf(text), vector: Float32Array.from([n, 1.25, 2.5]) })
    const named = 'qzxadaspeakervjk: qzxadacontentvjk is here'
    await cache.putMany('space/a', [of(named, 0.123456789), of('nobody said this', 0.5)])
    await cache.putMany('space/b', [of('qzxadamemoryvjk now', 0.987654321)])
    await cache.close()
    const bytes = (n: number) => Buffer.from(Float32Array.from([n]).buffer)
    expect(readFileSync(path).includes(bytes(0.123456789))).toBe(true)
    const args = ['--tenant', 'acme', '--user', 'ada', '--yes', '--json', '--embedding-cache', `sqlite:${path}`]
    const { code, stdout } = await cli(['erase', '--url', url, ...args])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).stores[1]).toMatchObject({
      store: 'embedding cache',
      parts: [{ removed: 2 }],
      error: null,
    })
    for (const n of [0.123456789, 0.987654321]) expect(readFileSync(path).includes(bytes(n))).toBe(false)
    const after = new SqliteEmbeddingCache(path)
    expect((await after.getMany('space/a', [hashOf('nobody said this')]))[0]).not.toBe(null)
    await after.close()
  })
})

describe('bruno-memory retention', () => {
  test('counts first, and removes with --yes', async () => {
    const { url } = await filled()
    const policy = ['retention', '--url', url, '--messages-per-conversation', '1', '--json']
    const counted = await cli(policy)
    expect(counted.code).toBe(1)
    const wanted = JSON.parse(counted.stdout) as { messages: number }
    expect(wanted.messages).toBeGreaterThan(0)
    const done = await cli([...policy, '--yes'])
    expect(done.code).toBe(0)
    expect(JSON.parse(done.stdout)).toMatchObject({ dryRun: false, tenants: 1, messages: wanted.messages })
    expect(JSON.parse((await cli(policy)).stdout)).toMatchObject({ messages: 0 })
    expect((await cli(['retention', '--url', url, '--yes'])).code).toBe(2)
  })
})
