import { describe, expect, test } from 'vitest'
import { reindexSqlite } from '../../src/backends/sqlite/reindex.js'
import { freshStore } from './support/store.js'

const say = (id: string, content: string, name?: string) => ({
  id,
  role: 'user' as const,
  content,
  ...(name && { name }),
})

async function seeded() {
  const store = freshStore()
  const memory = await store.open()
  await memory.conversations.create({ id: 'de', userId: 'ada', language: 'german' })
  await memory.messages.append('de', [say('1', 'Die Häuser in den Gassen gefallen mir'), say('2', 'Gut')])
  await memory.messages.append('en', [say('3', 'walking through the houses'), say('4', 'fine')], { userId: 'ada' })
  const found = async (text: string, conversationId?: string) =>
    (await memory.search({ text, conversationId, kinds: ['message'], neighbours: false })).map((hit) => hit.record.id)
  return { store, memory, found }
}

describe('the language of a conversation', () => {
  test('stems its words, whichever language the question is in', async () => {
    const { store, found } = await seeded()
    await using _ = store
    expect(await found('Haus Häusern', 'de')).toEqual(['1'])
    expect(await found('Gasse')).toEqual(['1'])
    expect(await found('walks')).toEqual(['3'])
  })

  test('that changes takes the messages that are there along', async () => {
    const { store, memory, found } = await seeded()
    await using _ = store
    await memory.messages.append('en', say('5', 'Die Gassen'))
    expect(await found('Gasse', 'en')).toEqual([])
    await memory.conversations.update('en', { language: 'german' })
    expect(await found('Gasse', 'en')).toEqual(['5'])
    await memory.messages.update('en', '4', { content: 'schmale Gassen' })
    expect((await found('Gasse', 'en')).sort()).toEqual(['4', '5'])
  })

  test('is kept by a branch and by a new index', async () => {
    const { store, memory } = await seeded()
    await using _ = store
    const branch = await memory.messages.branch('de', '1')
    expect(branch.language).toBe('german')
    await memory.close()
    await reindexSqlite({ databasePath: store.path, clock: Date.now })
    const again = await store.open()
    const hits = await again.search({ text: 'Gasse', conversationId: branch.id, kinds: ['message'] })
    expect(hits.map((hit) => hit.record.id)).toEqual(['1'])
  })

  test('that is not known is refused by name', async () => {
    await using store = freshStore()
    const memory = await store.open()
    const made = memory.conversations.create({ userId: 'ada', language: 'germn' })
    await expect(made).rejects.toMatchObject({ code: 'validation', field: 'language' })
    await expect(made).rejects.toThrow('german')
  })
})

describe('fields beside the content', () => {
  test('a speaker, a tag, a category, a title find their record', async () => {
    await using store = freshStore()
    const memory = await store.open()
    await memory.messages.append('c', [say('1', 'hello', 'Melanie'), say('2', 'hi', 'Caroline')], { userId: 'ada' })
    await memory.conversations.update('c', { title: 'Planning the wedding', tags: ['family'] })
    await memory.memories.add({ id: 'm', userId: 'ada', content: 'x', tags: ['allergies'], category: 'health' })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'y', metadata: { title: 'Ferry timetable' } })
    const first = async (text: string) => (await memory.search({ text }))[0]?.record.id
    expect(await first('melanie')).toBe('1')
    expect(await first('allergy')).toBe('m')
    expect(await first('health')).toBe('m')
    expect(await first('ferries')).toBe('d')
    const plain = await memory.search({ text: 'melanie', kinds: ['message'] })
    const titled = await memory.search({ text: 'melanie wedding', kinds: ['message'], explain: true })
    expect(plain[0]?.record.id).toBe('1')
    expect(titled[0]?.explain?.text?.terms).toContainEqual(expect.objectContaining({ term: 'wed', distance: null }))
  })

  test('a name that changes is found by the new one', async () => {
    await using store = freshStore()
    const memory = await store.open()
    await memory.messages.append('c', say('1', 'hello', 'Melanie'), { userId: 'ada' })
    await memory.messages.update('c', '1', { name: 'Caroline' })
    expect(await memory.search({ text: 'melanie' })).toEqual([])
    expect((await memory.search({ text: 'caroline' })).map((hit) => hit.record.id)).toEqual(['1'])
  })
})
