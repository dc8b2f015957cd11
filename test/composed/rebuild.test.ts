import { createHash } from 'node:crypto'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { EmbeddingFunction } from '../../src/contract/embedder.js'
import { ConfigurationError, createMemory } from '../../src/index.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { opened, PRIMARIES, SEMANTIC, vectorOf } from './composition.js'

afterAll(returnDatabases)

/** A model that tells texts apart and nothing else, and counts what it is asked. */
function model(name: string, dimensions: number) {
  let texts = 0
  const vector = (text: string): number[] => {
    const bytes = createHash('sha512').update(`${name} ${text}`).digest()
    return Array.from({ length: dimensions }, (_, i) => ((bytes[i] as number) - 127.5) / 128)
  }
  const embeddingFunction: EmbeddingFunction = {
    embedDocuments: async (all) => {
      texts += all.length
      return all.map(vector)
    },
    embedQuery: async (text) => vector(text),
  }
  const options = { embeddingFunction, embeddingModel: name, embeddingDimensions: dimensions }
  return { options, texts: () => texts }
}

describe.each(Object.keys(PRIMARIES).flatMap((p) => Object.keys(SEMANTIC).map((s) => [p, s] as const)))(
  'another model for %s and %s',
  (primary, semantic) => {
    test('embeds beside what is in use, tells the price first, and is then the only one that opens it', async () => {
      const [first, second] = [model('first', 8), model('second', 16)]
      const parts = {
        primary: await (PRIMARIES[primary] as () => Promise<string>)(),
        semantic: (SEMANTIC[semantic] as () => string)(),
      }
      const memory = await opened({ ...parts, ...first.options })
      await memory.memories.addMany(
        Array.from({ length: 30 }, (_, n) => ({
          id: `e${n}`,
          userId: 'ada',
          type: 'fact' as const,
          content: `fact ${n % 20}`,
        })),
      )
      const find = async (text: string, from = memory) =>
        (await from.search({ text, mode: 'vector', limit: 1, fresh: true })).map(({ record }) => record.content)
      expect(await find('fact 7')).toEqual(['fact 7'])
      expect(first.texts()).toBe(20)

      const plan = await memory.rebuild({ embedding: second.options, dryRun: true })
      expect(plan).toMatchObject({ records: 30, toEmbed: 30, vectors: 0 })
      expect(plan.tokens).toBeGreaterThan(0)
      expect(second.texts()).toBe(0)

      const told: number[] = []
      const report = await memory.rebuild({
        embedding: second.options,
        dropOld: true,
        onProgress: ({ done }) => told.push(done),
      })
      expect(report).toMatchObject({ records: 30, toEmbed: 30, vectors: 30, parked: 0, generation: 2, dropped: true })
      expect(second.texts()).toBe(20)
      expect(told.at(-1)).toBe(30)
      await memory.close()

      const old = createMemory({ ...parts, ...first.options })
      await expect(old.connect()).rejects.toThrow(ConfigurationError)
      await old.close()
      const next = await opened({ ...parts, ...second.options })
      expect(await find('fact 7', next)).toEqual(['fact 7'])
      expect(await next.verify()).toMatchObject({ expected: 30, found: 30, missing: 0, orphan: 0, stale: 0 })
      await next.memories.add({ id: 'new', userId: 'ada', type: 'fact', content: 'something new' })
      expect(await find('something new', next)).toEqual(['something new'])
    })
  },
)

test('ends while somebody writes all the time', async () => {
  const names = {
    primary: await (PRIMARIES.sqlite as () => Promise<string>)(),
    semantic: (SEMANTIC.qdrant as () => string)(),
  }
  const memory = await opened(names)
  let written = 0
  let ended = false
  const writing = async () => {
    for (; !ended; written++)
      await memory.memories.add({ userId: 'ada', type: 'fact', content: `fact ${written}`, vector: vectorOf(written) })
  }
  const writer = writing()
  try {
    const { vectors, generation } = await (await opened(names)).rebuild()
    expect(generation).toBe(2)
    expect(vectors).toBeLessThanOrEqual(written)
  } finally {
    ended = true
    await writer
  }
  await vi.waitFor(
    async () => expect(await memory.verify()).toMatchObject({ found: written, missing: 0, waiting: 0 }),
    {
      timeout: 9000,
      interval: 100,
    },
  )
}, 30_000)
