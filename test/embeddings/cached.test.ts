import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { RedisEmbeddingCache } from '../../src/backends/redis/embedding-cache.js'
import { SqliteEmbeddingCache } from '../../src/backends/sqlite/embedding-cache.js'
import type { EmbeddingCache, EmbeddingUsage } from '../../src/contract/embedder.js'
import { cachedEmbedder } from '../../src/embeddings/cached.js'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { freePort } from '../ground/ports.js'
import { freshPrefix, serverUrl } from '../redis/support/memories.js'
import { gate } from '../support/gate.js'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))
const freshFile = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-vectors-'))
  folders.push(folder)
  return join(folder, 'vectors.db')
}

const vectorOf = (text: string): number[] => [text.length, 1, Math.fround(0.1)]

/** A model that counts what it is asked. */
function model(name = 'counted') {
  const asked: string[][] = []
  const embeddingFunction = {
    embedDocuments: async (texts: string[]) => {
      asked.push(texts)
      return texts.map(vectorOf)
    },
    embedQuery: async (text: string) => vectorOf(text),
  }
  return { asked, embeddingFunction, embedder: createEmbedder({ embeddingFunction, embeddingModel: name }) }
}

const settings = { dimensions: null, onEmbedding: null, count: async () => (text: string) => text.length }
const over = (
  cache: EmbeddingCache | null,
  name?: string,
  more: Partial<Parameters<typeof cachedEmbedder>[1]> = {},
) => {
  const { asked, embedder } = model(name)
  return { asked, embedder: cachedEmbedder(embedder, { ...settings, cache, ...more }) }
}

const hash = (n: number): Uint8Array => Uint8Array.from({ length: 32 }, () => n)
const kinds: readonly (readonly [name: string, make: () => Promise<() => EmbeddingCache>])[] = [
  [
    'an SQLite file',
    async () => {
      const path = await freshFile()
      return () => new SqliteEmbeddingCache(path)
    },
  ],
  [
    'Redis',
    async () => {
      const prefix = freshPrefix()
      return () => new RedisEmbeddingCache({ url: serverUrl(), prefix })
    },
  ],
]

describe.each(kinds)('vectors in %s', (_, make) => {
  test('come back bit for bit, by space and hash, also to another instance', async () => {
    const open = await make()
    const [cache, other] = [open(), open()]
    const vector = Float32Array.from([1, -0, 3e38, Math.fround(1e-45)])
    await cache.putMany('a', [
      { hash: hash(1), vector },
      { hash: hash(2), vector: Float32Array.of(2) },
    ])
    const [first, none, second] = await other.getMany('a', [hash(1), hash(3), hash(2)])
    expect([...(first ?? [])].map((n) => Object.is(n, -0))).toEqual([false, true, false, false])
    expect(first).toEqual(vector)
    expect(none).toBeNull()
    expect(second).toEqual(Float32Array.of(2))
    expect(await other.getMany('b', [hash(1)])).toEqual([null])
    expect(await other.getMany('a', [])).toEqual([])
    await Promise.all([cache.close(), other.close()])
  })

  test('are made once, by whichever process asks first', async () => {
    const open = await make()
    const one = over(open())
    expect(await one.embedder.embedDocuments(['a', 'bb', 'a'])).toEqual(
      ['a', 'bb', 'a'].map((text) => Float32Array.from(vectorOf(text))),
    )
    expect(one.asked).toEqual([['a', 'bb']])
    await one.embedder.close()
    const two = over(open())
    expect(await two.embedder.embedDocuments(['bb', 'ccc', 'a'])).toEqual(
      ['bb', 'ccc', 'a'].map((text) => Float32Array.from(vectorOf(text))),
    )
    expect(two.asked).toEqual([['ccc']])
    await two.embedder.close()
  })

  test('of another model, or of other dimensions, are others', async () => {
    const open = await make()
    await over(open()).embedder.embedDocuments(['a'])
    const other = over(open(), 'other')
    await other.embedder.embedDocuments(['a'])
    const shorter = over(open(), 'counted', { dimensions: 2 })
    await shorter.embedder.embedDocuments(['a'])
    expect([other.asked.length, shorter.asked.length]).toEqual([1, 1])
  })
})

describe('a cached embedder', () => {
  test('asks once for what many ask for at the same time', async () => {
    const begun = gate()
    const asked: string[][] = []
    const slow = createEmbedder({
      embeddingModel: 'slow',
      embeddingFunction: {
        embedDocuments: async (texts) => {
          asked.push(texts)
          await begun.opened
          return texts.map(vectorOf)
        },
        embedQuery: async (text) => vectorOf(text),
      },
    })
    const embedder = cachedEmbedder(slow, { ...settings, cache: null, onEmbedding: () => {} })
    const answers = [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'b', 'c'],
    ].map((texts) => embedder.embedDocuments(texts))
    await new Promise((resolve) => setTimeout(resolve, 10))
    begun.open()
    const [, , all] = await Promise.all(answers)
    expect(asked.flat().sort()).toEqual(['a', 'b', 'c'])
    expect(all).toEqual(['a', 'b', 'c'].map((text) => Float32Array.from(vectorOf(text))))
  })

  test('goes on without a cache that fails, or that answers what is no vector', async () => {
    const failing: EmbeddingCache = {
      getMany: () => Promise.reject(new Error('away')),
      putMany: () => Promise.reject(new Error('away')),
      close: () => Promise.reject(new Error('away')),
    }
    const one = over(failing)
    expect(await one.embedder.embedDocuments(['a'])).toEqual([Float32Array.from(vectorOf('a'))])
    await one.embedder.close()
    const wrong: EmbeddingCache = {
      getMany: async () => [Float32Array.of(Number.NaN)],
      putMany: async () => {},
      close: async () => {},
    }
    expect(await over(wrong).embedder.embedDocuments(['a'])).toEqual([Float32Array.from(vectorOf('a'))])
  })

  test('fails for all who asked where the model fails, and asks again the next time', async () => {
    let fails = true
    const flaky = createEmbedder({
      embeddingModel: 'flaky',
      embeddingFunction: {
        embedDocuments: async (texts) => {
          if (fails) throw Object.assign(new Error('no'), { status: 400 })
          return texts.map(vectorOf)
        },
        embedQuery: async (text) => vectorOf(text),
      },
    })
    const embedder = cachedEmbedder(flaky, { ...settings, cache: new SqliteEmbeddingCache(await freshFile()) })
    const both = await Promise.allSettled([embedder.embedDocuments(['a']), embedder.embedDocuments(['a'])])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fails = false
    expect(await embedder.embedDocuments(['a'])).toHaveLength(1)
    await embedder.close()
  })

  test('tells what it sent: texts, what was cached, and tokens', async () => {
    const told: EmbeddingUsage[] = []
    const { embedder } = over(new SqliteEmbeddingCache(await freshFile()), 'counted', {
      onEmbedding: (usage) => told.push(usage),
    })
    await embedder.embedDocuments(['four', 'six666', 'four'])
    await embedder.embedDocuments(['four', 'a'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual([
      { model: 'counted', texts: 2, cached: 0, tokens: 10 },
      { model: 'counted', texts: 2, cached: 1, tokens: 1 },
    ])
    await embedder.close()
  })

  test('of a function without a name is refused: its vectors would be taken for those of another', () => {
    const { embeddingFunction } = model()
    const unnamed = createEmbedder({ embeddingFunction })
    const cache = new SqliteEmbeddingCache('never opened')
    expect(() => cachedEmbedder(unnamed, { ...settings, cache })).toThrow(/embeddingModel/)
  })
})

/** Opens a memory over what another one has embedded before, and writes and finds the same text in two tenants. */
async function embedsOnce(embeddingCache: string): Promise<void> {
  const asked: string[][] = []
  const told: EmbeddingUsage[] = []
  for (const rounds of [1, 2]) {
    const { asked: mine, embeddingFunction } = model()
    const memory = createBackend('sqlite', {
      databasePath: ':memory:',
      embeddingFunction,
      embeddingModel: 'counted',
      embeddingCache,
      onEmbedding: (usage) => told.push(usage),
    })
    await memory.forTenant('a').memories.add({ userId: 'u', content: 'the same text' })
    await memory.forTenant('b').memories.add({ userId: 'u', content: 'the same text' })
    await memory.settle()
    const [hit] = await memory.forTenant('b').search({ text: 'the same text', mode: 'vector' })
    expect(hit?.score, `round ${rounds}`).toBeCloseTo(1, 5)
    await memory.close()
    asked.push(...mine)
  }
  expect(asked.flat()).toEqual(['the same text'])
  const first = { model: 'counted', texts: 1, cached: 0, tokens: 3 }
  const later = { model: 'counted', texts: 1, cached: 1, tokens: 0 }
  // Tokens are counted as o200k_base, whose table is loaded first.
  await expect.poll(() => told.length, { timeout: 10_000 }).toBeGreaterThan(1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(told).toEqual([first, ...told.slice(1).map(() => later)])
}

describe('a memory embeds no text twice, whoever wrote it, also after it was opened anew, and tells what it sent', () => {
  test('where the cache is an SQLite file', async () => embedsOnce(`sqlite:${await freshFile()}`))

  test('where the cache is a Redis server, under the prefix of its URL', async () => {
    const prefix = freshPrefix()
    const at = (name: string): string => `${serverUrl()}?prefix=${encodeURIComponent(name)}`
    await embedsOnce(at(prefix))
    await embedsOnce(at(`${prefix} other`))
    const kept = new RedisEmbeddingCache({ url: at(prefix) })
    const none = new RedisEmbeddingCache({ url: at(`${prefix} none`) })
    const hashes = [createHash('sha256').update('the same text').digest()]
    expect(await kept.getMany('custom/counted/own', hashes)).toEqual([Float32Array.from(vectorOf('the same text'))])
    expect(await none.getMany('custom/counted/own', hashes)).toEqual([null])
    await Promise.all([kept.close(), none.close()])
  })

  test('and goes on where the Redis server of the cache is away', async () => {
    const { asked, embeddingFunction } = model()
    const memory = createBackend('sqlite', {
      databasePath: ':memory:',
      embeddingFunction,
      embeddingModel: 'counted',
      embeddingCache: `redis://127.0.0.1:${await freePort()}`,
    })
    await memory.memories.add({ userId: 'u', content: 'the same text' })
    expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
    expect(asked).toEqual([['the same text']])
    await memory.close()
  })
})
