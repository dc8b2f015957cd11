import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { WORDS, words } from './context-fixtures.js'
import { refused } from './expecting.js'
import { ADA, answers, idsOf, instructs, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeContextRelated(harness: Harness): void {
  suite(harness, 'context: memories', ['users', 'conversations', 'messages', 'memories', 'textSearch'], (ground) => {
    itChooses(ground)
    itShares(ground)
  })
  suite(harness, 'context: documents', ['users', 'documents', 'textSearch'], itReadsDocuments)
  if (harness.lacks?.includes('textSearch'))
    suite(harness, 'context: without a search', ['users', 'conversations', 'messages', 'memories'], itDoesWithoutSearch)
}

const query = { userId: ADA, conversationId: 'c' }

async function knowing(memory: Memory): Promise<void> {
  await memory.memories.addMany([
    { id: 'cat', userId: ADA, content: 'has a cat called Ada', importance: 0.1 },
    { id: 'flat', userId: ADA, content: 'rents a flat in Lisbon', importance: 0.2 },
    { id: 'nuts', userId: ADA, content: 'is allergic to nuts', importance: 1 },
    { id: 'other', userId: 'bruno', content: 'rents a flat in Lisbon too', importance: 1 },
  ])
}

function itChooses(ground: Ground): void {
  it('chooses by the strategy', async () => {
    const memory = await ground.open()
    await knowing(memory)
    await talk(memory, 'c', ['how is the flat?'])
    const told = async (strategy?: 'recent' | 'relevant' | 'important' | 'mixed') =>
      idsOf((await memory.context({ ...query, strategy })).memories)
    expect(await told('recent')).toEqual([])
    expect(await told('relevant')).toEqual(['flat'])
    expect(await told('important')).toEqual(['nuts', 'flat', 'cat'])
    expect(await told('mixed')).toEqual(['flat', 'nuts', 'cat'])
    expect(await told()).toEqual(await told('mixed'))
    expect(idsOf((await memory.context({ ...query, text: 'cat', strategy: 'relevant' })).memories)).toEqual(['cat'])
    expect(idsOf((await memory.context({ ...query, maxMemories: 1 })).memories)).toEqual(['flat'])
    expect((await memory.context({ ...query, maxMemories: 0 })).memories).toEqual([])
  })

  it('tells them in one system message behind the pinned ones', async () => {
    const memory = await ground.open()
    await knowing(memory)
    await talk(memory, 'c', [instructs('be kind'), 'how is the flat?'])
    expect((await memory.context({ ...query, strategy: 'relevant' })).toLLM()).toEqual([
      { role: 'system', content: 'be kind' },
      { role: 'system', content: 'What is known about the user:\n- rents a flat in Lisbon' },
      { role: 'user', content: 'how is the flat?' },
    ])
  })

  it('says nothing twice, does not count as use, and leaves out what has expired', async () => {
    const memory = await ground.open()
    await knowing(memory)
    await memory.memories.addMany([
      { id: 'again', userId: ADA, content: 'rents a flat in Lisbon', importance: 0.9 },
      { id: 'gone', userId: ADA, content: 'flat sold', expiresAt: new Date(ground.clock.now() + 1000) },
    ])
    ground.clock.set(ground.clock.now() + 2000)
    await talk(memory, 'c', ['is allergic to nuts', answers('noted'), 'how is the flat in Lisbon?'])
    const context = await memory.context(query)
    const texts = context.memories.map(({ content }) => content)
    expect(texts.toSorted()).toEqual(['has a cat called Ada', 'rents a flat in Lisbon'])
    for (const { id } of context.memories) expect((await memory.memories.get(id))?.accessCount).toBe(0)
  })

  it('throws where a mode that was asked for cannot be had', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['how is the flat?'])
    if (memory.capabilities.vectorSearch) return
    await refused(memory.context({ ...query, mode: 'hybrid' }), 'unsupported')
    await refused(memory.context({ ...query, vector: [1, 2] }), 'unsupported')
    expect((await memory.context({ ...query, mode: 'text' })).degraded).toBe(false)
  })
}

function itShares(ground: Ground): void {
  it('lets messages have what memories do not need, and memories what messages leave', async () => {
    const memory = await ground.open({ tokenizer: WORDS })
    await memory.memories.addMany(
      Array.from({ length: 10 }, (_, i) => ({ id: `m${i}`, userId: ADA, content: `flat ${i} ${words(18, `m${i}`)}` })),
    )
    await talk(memory, 'c', [...Array.from({ length: 40 }, (_, i) => `flat ${i} ${words(4)}`)])
    const ask = (strategy: 'recent' | 'relevant' | 'mixed', rest = {}) =>
      memory.context({ ...query, strategy, maxTokens: 400, ...rest })
    const recent = await ask('recent')
    // 40 messages of 6 words and a frame of 4.
    expect(recent).toMatchObject({ tokens: 400, messages: { length: 40 }, memories: [] })
    const relevant = await ask('relevant')
    // 30 % of the 390 tokens beside the newest message: four or five memories of 21 words.
    expect(relevant.memories.length).toBeGreaterThanOrEqual(4)
    expect(relevant.memories.length).toBeLessThanOrEqual(5)
    expect(relevant.messages.length).toBeGreaterThanOrEqual(27)
    expect(relevant.tokens).toBeLessThanOrEqual(400)
    expect((await ask('relevant', { maxMemories: 0 })).messages).toHaveLength(40)
    expect((await ask('relevant', { maxMessages: 10 })).memories).toHaveLength(10)
    const mixed = await ask('mixed')
    expect(mixed.messages.length).toBeGreaterThan(relevant.messages.length)
  })

  it('passes over a memory that is too large', async () => {
    const memory = await ground.open({ tokenizer: WORDS })
    await memory.memories.addMany([
      { id: 'large', userId: ADA, content: `flat flat ${words(200)}` },
      { id: 'small', userId: ADA, content: 'flat in Lisbon', importance: 0.1 },
    ])
    await talk(memory, 'c', ['flat'])
    const context = await memory.context({ ...query, maxTokens: 60 })
    expect(idsOf(context.memories)).toEqual(['small'])
    expect(context.tokens).toBeLessThanOrEqual(60)
  })
}

function itReadsDocuments(ground: Ground): void {
  it('looks into the namespaces that are named, and no others', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: ADA })
    await memory.documents.upsert([
      { namespace: 'guides', id: 'ferry', content: 'The ferry leaves at nine.' },
      { namespace: 'guides', id: 'train', content: 'The train leaves at ten.' },
      { namespace: 'secret', id: 'plan', content: 'The ferry is ours.' },
    ])
    const asked = { userId: ADA, text: 'when does the ferry go' }
    const context = await memory.context({ ...asked, namespaces: ['guides', 'guides', 'empty'] })
    expect(idsOf(context.documents)).toEqual(['ferry'])
    expect(context.toLLM()).toEqual([
      { role: 'system', content: 'From the documents:\n[guides/ferry]\nThe ferry leaves at nine.' },
    ])
    expect((await memory.context(asked)).documents).toEqual([])
    expect((await memory.context({ ...asked, namespaces: ['guides'], maxDocuments: 0 })).documents).toEqual([])
  })
}

function itDoesWithoutSearch(ground: Ground): void {
  it('tells what is important, and what is said, where nothing can be found by words', async () => {
    const memory = await ground.open()
    await knowing(memory)
    await talk(memory, 'c', [instructs('be kind'), 'how is the flat?'])
    const told = async (strategy?: 'recent' | 'relevant' | 'important' | 'mixed') =>
      idsOf((await memory.context({ ...query, strategy })).memories)
    expect(await told('recent')).toEqual([])
    expect(await told('important')).toEqual(['nuts', 'flat', 'cat'])
    if (ground.lacks('vectorSearch')) {
      expect(await told('relevant')).toEqual([])
      expect(await told()).toEqual(['nuts', 'flat', 'cat'])
    }
    const context = await memory.context({ ...query, text: 'flat', strategy: 'important', maxMemories: 1 })
    expect(context).toMatchObject({ documents: [], degraded: false, truncated: false })
    expect(context.toLLM()).toEqual([
      { role: 'system', content: 'be kind' },
      { role: 'system', content: 'What is known about the user:\n- is allergic to nuts' },
      { role: 'user', content: 'how is the flat?' },
    ])
  })

  it('says that it cannot search where a query asks for it', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['how is the flat?'])
    const error = await refused(memory.context({ ...query, mode: 'text' }), 'unsupported')
    expect(error).toHaveProperty('capability', 'textSearch')
    await refused(memory.context({ ...query, mode: 'hybrid' }), 'unsupported')
  })
}
