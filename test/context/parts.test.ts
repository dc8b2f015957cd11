import { describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { makeContext } from '../../src/context/context.js'
import { checkContext } from '../../src/context/query.js'
import type { BackendScope } from '../../src/contract/backend.js'
import type { CommonOptions } from '../../src/contract/options.js'
import type { SearchQuery } from '../../src/contract/search.js'
import { ConnectionError } from '../../src/errors.js'
import { failure, refused } from '../conformance/expecting.js'

const count = (text: string): number => text.length
const nothing = { textSearch: false, vectorSearch: false }

describe('a memory that lacks something', () => {
  test('answers null and empty parts', async () => {
    const searching = { scope: {} as BackendScope, capabilities: nothing, inUnit: false }
    const query = checkContext({ userId: 'ada', conversationId: 'c', namespaces: ['notes'], text: 'flat' })
    const context = await makeContext(count, searching, query)
    expect(context).toMatchObject({ user: null, session: null, conversation: null, tokens: 0, degraded: false })
    expect([context.messages, context.memories, context.documents, context.toLLM()]).toEqual([[], [], [], []])
  })

  test('says so where a search was asked for by its mode', async () => {
    const searching = { scope: {} as BackendScope, capabilities: nothing, inUnit: false }
    const query = checkContext({ userId: 'ada', text: 'flat', mode: 'text' })
    await refused(makeContext(count, searching, query), 'unsupported')
  })

  test('reads no messages of a conversation whose owner it cannot know', async () => {
    const list = () => Promise.reject(new Error('was read'))
    const scope = { messages: { list } } as unknown as BackendScope
    const query = checkContext({ userId: 'ada', conversationId: 'c' })
    const context = await makeContext(count, { scope, capabilities: nothing, inUnit: false }, query)
    expect(context.messages).toEqual([])
  })
})

describe('a memory that can only be given vectors', () => {
  test('searches by words, and does not call that a failure', async () => {
    const memory = createBackend('sqlite', { databasePath: ':memory:', embeddingDimensions: 2 })
    await memory.memories.add({ userId: 'ada', content: 'has a cat', vector: [0, 1] })
    const context = await memory.context({ userId: 'ada', text: 'any cat?', strategy: 'relevant' })
    expect(context).toMatchObject({ degraded: false, memories: [{ content: 'has a cat' }] })
    await memory.close()
  })

  test('is not asked for vectors inside a unit', async () => {
    const modes: unknown[] = []
    const search = async ({ mode }: SearchQuery) => {
      modes.push(mode)
      return []
    }
    const query = checkContext({ userId: 'ada', text: 'flat' })
    const capabilities = { textSearch: true, vectorSearch: true }
    for (const inUnit of [false, true]) await makeContext(count, { scope: { search }, capabilities, inUnit }, query)
    expect(modes).toEqual(['hybrid', 'text'])
  })
})

describe('a memory with vectors', () => {
  /** One direction for what is about a home, another for the rest. */
  const embedding = (text: string): number[] => (/flat|home/.test(text) ? [1, 0] : [0, 1])
  let fails = false
  const embed = async (text: string): Promise<number[]> => {
    if (fails) throw new ConnectionError('the model is away')
    return embedding(text)
  }
  const embeddingFunction = {
    embedDocuments: (texts: string[]) => Promise.resolve(texts.map(embedding)),
    embedQuery: embed,
  }
  const open = async (options: Partial<CommonOptions> = {}) => {
    fails = false
    const memory = createBackend('sqlite', { databasePath: ':memory:', embeddingFunction, ...options })
    await memory.memories.addMany([
      { id: 'flat', userId: 'ada', content: 'rents a flat' },
      { id: 'cat', userId: 'ada', content: 'has a cat' },
    ])
    await memory.messages.append('c', { role: 'user', content: 'where is home?' }, { userId: 'ada' })
    await memory.settle()
    return memory
  }
  const query = { userId: 'ada', conversationId: 'c', strategy: 'relevant', maxMemories: 1 } as const
  const ids = (records: readonly { readonly id: string }[]) => records.map(({ id }) => id)

  test('finds what is meant, by default', async () => {
    const memory = await open()
    expect(ids((await memory.context(query)).memories)).toEqual(['flat'])
    expect((await memory.context({ ...query, mode: 'text' })).memories).toEqual([])
    expect(ids((await memory.context({ userId: 'ada', vector: [1, 0], maxMemories: 1 })).memories)).toEqual(['flat'])
    await refused(memory.context({ ...query, vector: [1, 0, 0] }), 'validation', 'vector')
    await memory.close()
  })

  test('searches by words where its model fails, and says so', async () => {
    const memory = await open()
    fails = true
    const context = await memory.context({ ...query, text: 'any cat?' })
    expect(context.degraded).toBe(true)
    expect(ids(context.memories)).toEqual(['cat'])
    expect(await failure(memory.context({ ...query, text: 'any cat?', mode: 'hybrid' }))).not.toBeNull()
    expect(await memory.context({ ...query, text: 'any cat?', strategy: 'recent' })).toMatchObject({ degraded: false })
    await memory.close()
  })

  test('waits for no model inside a unit', async () => {
    const memory = await open()
    await memory.unitOfWork(async (unit) => {
      const context = await unit.context({ ...query, text: 'any cat?' })
      expect(ids(context.memories)).toEqual(['cat'])
      expect(context.degraded).toBe(false)
      expect(ids((await unit.context({ ...query, vector: [1, 0] })).memories)).toEqual(['flat'])
    })
    await memory.close()
  })
})
