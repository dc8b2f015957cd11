import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { EmbeddingSpace } from '../../src/contract/embedder.js'
import type { SqliteOptions } from '../../src/contract/options.js'
import type { Hit, SearchMode } from '../../src/contract/search.js'
import { EmbeddingsServer } from '../embeddings/openai-server.js'
import { cli, freshFolder, json, looking } from './support.js'

const NOTES = {
  trip: 'We crossed the lake in a small sailing boat.',
  tax: 'The tax return is due at the end of April.',
  cat: 'The cat sleeps on the sofa.',
}

/** A memory with a few notes and no vectors. */
async function noted(): Promise<string> {
  const url = join(await freshFolder(), 'memory.db')
  await looking(url, (memory) =>
    memory.memories.addMany(Object.entries(NOTES).map(([id, content]) => ({ id, userId: 'ada', content }))),
  )
  return url
}

interface Reembedded {
  readonly space: EmbeddingSpace
  readonly vectors: number
  readonly kept: number
  readonly dropped: number
}

describe('bruno-memory reembed', () => {
  afterEach(() => vi.unstubAllEnvs())
  const reembed = (url: string, ...args: string[]) => cli(['reembed', '--url', url, ...args])
  /** Whether a program may open the memory so. */
  const opens = async (url: string, options: Partial<SqliteOptions>): Promise<boolean> => {
    const memory = createBackend(`sqlite:${url}`, options)
    try {
      await memory.connect()
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'configuration' })
      return false
    } finally {
      await memory.close()
    }
  }

  test('makes the vectors of what is there, with the model that is named', async () => {
    const url = await noted()
    expect(await json<Reembedded>(['reembed', '--url', url, '--embeddings', 'offline'])).toEqual({
      code: 0,
      memory: url,
      space: { provider: 'offline', model: 'energetic-ai-en', dimensions: 512, metric: 'cosine' },
      vectors: 3,
      parked: 0,
      kept: 0,
      dropped: 0,
    })
    const again = await cli(['reembed', '--url', url], { env: { BRUNO_MEMORY_EMBEDDINGS: 'offline' } })
    expect(again).toMatchObject({
      code: 0,
      stdout: '3 vectors of offline energetic-ai-en, 512 dimensions, cosine\n',
      stderr: '',
    })
  })

  test('is the way to another metric', async () => {
    const url = await noted()
    await reembed(url, '--embeddings', 'offline')
    expect(await opens(url, { embeddingFunction: 'offline', distanceMetric: 'dot' })).toBe(false)
    const { stdout, code } = await reembed(url, '--embeddings', 'offline', '--metric', 'dot')
    expect([code, stdout.split('\n')]).toEqual([
      0,
      [
        '3 vectors of offline energetic-ai-en, 512 dimensions, dot',
        '3 older vectors are kept (--drop-old deletes them)',
        '',
      ],
    ])
    expect(await opens(url, { embeddingFunction: 'offline' })).toBe(false)
    expect(await opens(url, { embeddingFunction: 'offline', distanceMetric: 'dot' })).toBe(true)
    const search = ['search', 'sailing', '--url', url, '--user', 'ada', '--mode', 'vector', '--embeddings', 'offline']
    expect((await cli(search)).stdout).toContain('sailing boat')
    const euclidean = await reembed(url, '--embeddings', 'offline', '--metric', 'euclidean', '--drop-old')
    expect(euclidean.stdout).toBe(
      '3 vectors of offline energetic-ai-en, 512 dimensions, euclidean\n6 older vectors are deleted\n',
    )
  })

  test('is the way to another dimension', async () => {
    await using server = await new EmbeddingsServer().start()
    vi.stubEnv('OPENAI_BASE_URL', server.url)
    vi.stubEnv('OPENAI_API_KEY', 'sk-test')
    const url = await noted()
    const embeddings = ['--embeddings', 'text-embedding-3-small']
    const space = { provider: 'openai', model: 'text-embedding-3-small', metric: 'cosine' }
    expect(await json<Reembedded>(['reembed', '--url', url, ...embeddings])).toMatchObject({
      space: { ...space, dimensions: 1536 },
      vectors: 3,
    })
    expect(await json<Reembedded>(['reembed', '--url', url, ...embeddings, '--dimensions', '256'])).toMatchObject({
      code: 0,
      space: { ...space, dimensions: 256 },
      vectors: 3,
      kept: 3,
    })
    expect(server.asked.at(-1)).toMatchObject({ dimensions: 256 })
    const embeddingFunction = 'text-embedding-3-small'
    expect(await opens(url, { embeddingFunction })).toBe(false)
    expect(await opens(url, { embeddingFunction, embeddingDimensions: 256 })).toBe(true)
  })

  test.each([
    [['--embeddings', 'offline', '--metric', 'manhattan'], '--metric'],
    [['--embeddings', 'offline', '--metric', 'Cosine'], '--metric'],
    [['--embeddings', 'offline', '--dimensions', '0'], '--dimensions must be a whole number from 1 to 16384'],
    [['--embeddings', 'offline', '--dimensions', '16385'], '--dimensions must be'],
    [['--embeddings', 'offline', '--dimensions', '1.5'], '--dimensions must be'],
    [['--embeddings', 'offline', '--dimensions', 'many'], '--dimensions must be'],
    [['--embeddings', 'offline', '--dimensions', '100'], '--dimensions 100: offline makes no vectors of this length'],
    [['--embeddings', 'text-embedding-ada-002', '--dimensions', '256'], '--dimensions 256'],
    [['--embeddings', 'text-embedding-3-small', '--dimensions', '2000'], '--dimensions 2000'],
    [['--embeddings', 'ofline', '--dimensions', '100'], 'did you mean "offline"?'],
    [[], '--embeddings'],
  ])('refuses %j, and touches nothing', async (args, told) => {
    const url = await noted()
    expect(await reembed(url, ...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(told) })
    expect(await opens(url, { embeddingDimensions: 3 })).toBe(true)
  })

  test('makes no file, and explains its options', async () => {
    const url = join(await freshFolder(), 'none.db')
    expect(await reembed(url, '--embeddings', 'offline')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(url),
    })
    expect(existsSync(url)).toBe(false)
    const { code, stdout } = await cli(['reembed', '--help'])
    expect(code).toBe(0)
    for (const told of ['"cosine", "dot", "euclidean"', 'distanceMetric', 'embeddingDimensions'])
      expect(stdout.replace(/\s+/g, ' ')).toContain(told)
  })
})

describe('bruno-memory search by meaning', () => {
  let url = ''
  beforeAll(async () => {
    url = await noted()
    await cli(['reembed', '--url', url, '--embeddings', 'offline'])
  })
  const search = (mode: SearchMode, ...args: string[]) => ['search', 'ship', '--url', url, '--mode', mode, ...args]
  const OFFLINE = ['--embeddings', 'offline']

  test('finds what no word of the question stands in', async () => {
    expect((await json<{ hits: Hit[] }>(search('text'))).hits).toEqual([])
    for (const mode of ['vector', 'hybrid'] as const) {
      const { code, hits } = await json<{ hits: Hit[] }>(search(mode, ...OFFLINE, '--limit', '1'))
      expect([code, hits.map((hit) => hit.record.id)], mode).toEqual([0, ['trip']])
      expect(hits[0]).not.toHaveProperty('explain')
    }
  })

  test('takes the model from the environment', async () => {
    const env = { BRUNO_MEMORY_EMBEDDINGS: 'offline' }
    const { code, stdout } = await cli(search('vector'), { env })
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^0\.\d{3} {2}memory \(long_term\), .*, of ada, trip\n.*sailing/),
    ])
  })

  test('shows where each score comes from', async () => {
    const words = ['search', 'sailing ship', '--url', url, '--mode', 'hybrid', ...OFFLINE, '--explain']
    const { stdout } = await cli([...words, '--limit', '1'])
    expect(stdout.split('\n')[2]).toMatch(
      /^ +bm25 \d\.\d{3} for sail \d\.\d\d; similarity 0\.\d{3}, with neighbours 0\.\d{3}; text 1\.00 \+ vector 1\.00$/,
    )
    const { hits } = await json<{ hits: Hit[] }>(words)
    expect(hits[0]?.explain).toMatchObject({
      text: { rank: 1, terms: [{ term: 'sail' }] },
      vector: { rank: 1 },
      fusion: { text: 1, vector: 1 },
    })
    const vector = await cli(search('vector', ...OFFLINE, '--explain', '--limit', '1'))
    expect(vector.stdout).toMatch(/similarity 0\.\d{3}/)
    expect(vector.stdout).not.toContain('text 1')
  })

  test('refuses a mode that there is not, a model that is not known, and vectors that nobody makes', async () => {
    expect(await cli(['search', 'x', '--url', url, '--mode', 'fuzzy'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--mode'),
    })
    expect(await cli(search('vector', '--embeddings', 'ofline'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean "offline"?'),
    })
    expect(await cli(search('vector'))).toMatchObject({ code: 1, stderr: expect.stringContaining('(unsupported)') })
    expect(await cli(search('hybrid', '--embeddings', 'text-embedding-3-small'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('bruno-memory reembed'),
    })
  })
})
