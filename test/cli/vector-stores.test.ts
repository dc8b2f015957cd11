import { randomUUID } from 'node:crypto'
import { describe, expect, inject, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { cli } from './support.js'

const URLS = {
  qdrant: () => `${inject('servers').QDRANT_URL.replace('http:', 'qdrant:')}/cli-${randomUUID()}`,
  chroma: () => `${inject('servers').CHROMA_URL.replace('http:', 'chroma:')}/cli-${randomUUID()}`,
}

describe.each(Object.entries(URLS))('a %s URL', (_, freshUrl) => {
  test('is searched by meaning and counted, with the model that made its vectors', async () => {
    const url = freshUrl()
    await using memory = createBackend(url, { embeddingFunction: 'offline' })
    await memory.memories.add({ userId: 'ada', content: 'is allergic to walnuts' })
    await memory.memories.add({ userId: 'ada', content: 'drives a red car' })
    const to = ['--url', url, '--embeddings', 'offline']
    const found = await cli(['search', 'which', 'food', 'must', 'she', 'avoid', '--limit', '1', ...to, '--json'])
    expect(found.code, found.stderr).toBe(0)
    expect(found.stdout).toContain('walnuts')
    expect(found.stdout).not.toContain('car')
    const counted = await cli(['stats', ...to, '--json'])
    expect(JSON.parse(counted.stdout)).toMatchObject({ memories: 2, users: 0 })
  })

  test('says what is missing: a model, words, a schema', async () => {
    const url = freshUrl()
    for (const [args, code, said] of [
      [['stats', '--url', url], 2, /embeddingFunction: is required/],
      [['search', 'x', '--mode', 'text', '--url', url], 2, /embeddingFunction: is required/],
      [['migrate', 'status', '--url', url], 2, /no schema to migrate/],
      [['reembed', '--url', url, '--embeddings', 'offline'], 1, /unsupported/],
    ] as const) {
      const answer = await cli([...args])
      expect([answer.code, answer.stderr], args.join(' ')).toEqual([code, expect.stringMatching(said)])
    }
  })
})
