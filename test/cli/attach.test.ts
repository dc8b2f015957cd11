import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { createMemory } from '../../src/create-memory.js'
import { cacheUrl, folder, PRIMARIES, SEMANTIC } from '../composed/composition.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { cli, ended, spawnCli } from './support.js'

afterAll(returnDatabases)

const freshPrimary = (name: string): Promise<string> => (PRIMARIES[name] as () => Promise<string>)()
const fresh = (semantic: string): string => (SEMANTIC[semantic] as () => string)()

const RECORDS = 120

const entry = (n: number) => ({ id: `e${n}`, userId: 'ada', type: 'fact' as const, content: `secret number ${n}` })

/** A memory of its own, open as an application has it that knows of no follower. */
async function inUse(url: string): Promise<Memory> {
  const memory = createBackend(url)
  onTestFinished(() => memory.close())
  await memory.memories.addMany(Array.from({ length: RECORDS }, (_, n) => entry(n)))
  await memory.memories.add({ id: 'walnuts', userId: 'ada', content: 'is allergic to walnuts' })
  return memory
}

/** Writes, changes and deletes until it is stopped; answers how often. */
function writing(memory: Memory): () => Promise<number> {
  let stopped = false
  let n = RECORDS
  const work = (async () => {
    while (!stopped) {
      await memory.memories.addMany([entry(n++), entry(n++)])
      await memory.messages.append(`chat-${n % 7}`, { role: 'user', content: `secret ${n}` }, { userId: 'ada' })
      await memory.memories.update(`e${n - 2}`, { content: `other secret ${n}` })
      await memory.memories.delete(`e${n - 1}`)
      await memory.memories.update(`e${n % RECORDS}`, { content: `changed secret ${n}` })
      await sleep(200)
    }
  })()
  return async () => {
    stopped = true
    await work
    return (n - RECORDS) / 2
  }
}

describe.each(
  Object.keys(PRIMARIES).flatMap((primary) => Object.keys(SEMANTIC).map((semantic) => [primary, semantic] as const)),
)('a memory in %s that is in use, with %s attached', (primary, kind) => {
  test('tells it of what is there and of what is written meanwhile, and verify finds nothing', async () => {
    const url = await freshPrimary(primary)
    const [semantic, cache] = [fresh(kind), cacheUrl()]
    const stop = writing(await inUse(url))
    const flags = ['--attach', `semantic=${semantic}`, '--attach', `cache=${cache}`, '--embeddings', 'offline']
    const { code, stdout, stderr } = await ended(spawnCli(['transfer', '--from', url, ...flags]))
    expect(await stop()).toBeGreaterThan(3)
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^semantic {2}(qdrant|chromadb) \S+/m)
    expect(stdout).toMatch(/^\d+ texts to embed, about \d+ tokens$/m)
    expect(stdout).toMatch(/semantic follows, \d+ still to be told/)
    expect(stdout).toContain('nothing differs')
    expect(`${stdout}${stderr}`).not.toContain('secret')
    // What the writers have done since waits in the outbox, whoever tells it.
    await using whole = createMemory({ primary: url, semantic, cache, embeddingFunction: 'offline' })
    await whole.settle()
    const report = await whole.verify()
    expect(report).toMatchObject({ missing: 0, orphan: 0, stale: 0, waiting: 0, parked: 0 })
    expect(report.found).toBe(report.expected)
    expect(report.expected).toBeGreaterThan(RECORDS / 2)
    const [hit] = await whole.search({ text: 'which food must she avoid?', mode: 'vector', limit: 1 })
    expect(hit?.record.id).toBe('walnuts')
  })
})

/** The file itself, closed with its scope. */
function openSqlite(url: string) {
  const client = new Sqlite(url.replace('sqlite:', ''), { readonly: true })
  return { prepare: (sql: string) => client.prepare(sql), [Symbol.dispose]: () => void client.close() }
}

async function followersOf(url: string): Promise<string[]> {
  const { stdout } = await cli(['settle', '--status', '--url', url, '--json'])
  return (JSON.parse(stdout).followers as { follower: string }[]).map(({ follower }) => follower)
}

describe('attach', () => {
  const parts = async (kind = 'qdrant') => {
    const url = await freshPrimary('sqlite')
    await (await inUse(url)).close()
    return { url, semantic: fresh(kind), cache: cacheUrl() }
  }

  test('says what it costs and changes nothing with --dry-run', async () => {
    const { url, semantic } = await parts()
    const flags = ['transfer', '--from', url, '--attach', `semantic=${semantic}`, '--embeddings', 'offline']
    const told = await cli([...flags, '--dry-run'])
    expect([told.code, told.stderr]).toEqual([0, ''])
    expect(told.stdout).toMatch(/^121 texts to embed, about 4\d\d tokens$/m)
    const json = JSON.parse((await cli([...flags, '--dry-run', '--json'])).stdout)
    expect(json).toMatchObject({ dryRun: true, records: 121, toEmbed: 121, followers: [], verified: null })
    expect(await followersOf(url)).toEqual([])
  })

  test('again goes on, and a second store needs --force', async () => {
    const { url, semantic, cache } = await parts('chromadb')
    const flags = ['transfer', '--from', url, '--embeddings', 'offline', '--json', '--attach']
    const first = JSON.parse((await cli([...flags, `semantic=${semantic}`])).stdout)
    expect(first).toMatchObject({ toEmbed: 121, left: 0, verified: { expected: 121, found: 121 } })
    const again = JSON.parse((await cli([...flags, `semantic=${semantic}`, '--attach', `cache=${cache}`])).stdout)
    expect(again).toMatchObject({ toEmbed: 0, left: 0, verified: { expected: 121 } })
    expect(again.followers.map(({ follower }: { follower: string }) => follower).sort()).toEqual(['cache', 'semantic'])
    const other = fresh('qdrant')
    expect(await cli([...flags, `semantic=${other}`])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--force'),
    })
    const moved = JSON.parse((await cli([...flags, `semantic=${other}`, '--force'])).stdout)
    expect(moved).toMatchObject({ toEmbed: 0, left: 0, verified: { expected: 121, found: 121 } })
  })

  test('leaves nothing on record where the store does not answer, and says what is wrong', async () => {
    const { url, semantic, cache } = await parts()
    const attach = ['transfer', '--from', url, '--embeddings', 'offline', '--attach']
    for (const [args, code, said] of [
      [[...attach, 'semantic=qdrant://user:pass-word@127.0.0.1:1'], 1, /error \((connection|timeout)\)/],
      [[...attach, 'cache=redis://:pass-word@127.0.0.1:1'], 1, /error \((connection|timeout)\)/],
      [[...attach, 'memory=x'], 2, /semantic=URL or cache=URL/],
      [[...attach, `semantic=${cache}`], 2, /redis finds nothing by meaning/],
      [[...attach, `cache=${semantic}`], 2, /qdrant is no cache/],
      [[...attach, `semantic=${semantic}`, '--attach', `semantic=${semantic}`], 2, /given twice/],
      [[...attach, `semantic=${semantic}`, '--to', 'sqlite:x.db'], 2, /--to does not go with --attach/],
      [['transfer', '--from', url], 2, /a store that is to follow with --attach/],
      [['transfer', '--from', (await parts()).url, '--attach', `semantic=${semantic}`], 2, /name the model/],
      [['transfer', '--from', cache, '--attach', `semantic=${semantic}`], 2, /nothing can follow/],
      [['transfer', '--from', `${folder()}/none.db`, '--attach', `cache=${cache}`], 1, /there is no memory/],
    ] as const) {
      const answer = await cli([...args])
      expect([answer.code, answer.stderr], args.join(' ')).toEqual([code, expect.stringMatching(said)])
      expect(`${answer.stdout}${answer.stderr}`).not.toContain('pass-word')
    }
    expect(await followersOf(url)).toEqual([])
  })

  test('that is stopped by Ctrl-C says how to go on, and goes on', async () => {
    const { url, semantic } = await parts()
    await using memory = createBackend(url)
    using peek = openSqlite(url)
    await memory.memories.addMany(Array.from({ length: 3000 }, (_, n) => entry(1000 + n)))
    const args = ['transfer', '--from', url, '--attach', `semantic=${semantic}`, '--embeddings', 'offline']
    const child = spawnCli(args)
    const end = ended(child)
    const made = () => peek.prepare('select count(*) as n from bruno_embeddings').get() as { n: number }
    await expect.poll(() => made().n, { timeout: 20_000 }).toBeGreaterThan(100)
    child.kill('SIGINT')
    const { code, stdout, stderr } = await end
    expect([code, stderr, stdout]).toEqual([
      130,
      expect.stringContaining('stopping after this batch'),
      expect.stringContaining('stopped: run the same command again'),
    ])
    const rest = await cli([...args, '--json'])
    expect(rest.code, rest.stderr).toBe(0)
    const { toEmbed, verified } = JSON.parse(rest.stdout)
    expect(verified).toMatchObject({ expected: 3121, found: 3121, missing: 0 })
    expect(toEmbed).toBeLessThan(3121)
  })
})
