import { describe, expect, test } from 'vitest'
import { ConnectionError, type ValidationError } from '../../src/errors.js'
import { isDegraded } from '../../src/repository/degraded.js'
import { chain, contents, type Ground, refused, says } from './support.js'

/** A chain whose first backend has a user with a conversation and is away. */
async function away(): Promise<Ground> {
  const ground = await chain()
  const { memory, first } = ground
  await memory.messages.append('c', [says('one', 'm1'), says('two', 'm2')], { userId: 'ada' })
  await memory.sessions.create({ id: 's', userId: 'ada' })
  await memory.memories.add({ id: 'x', userId: 'ada', content: 'kept in the first' })
  await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'kept in the first' })
  first.mood = 'away'
  return ground
}

async function back({ memory, first }: Ground): Promise<void> {
  first.up()
  expect(await memory.handBack()).toMatchObject({ finished: true, parked: 0 })
}

describe('a conversation that the standing backend has never seen', () => {
  test('is continued without a user, and with one', async () => {
    const ground = await away()
    const { memory } = ground
    await memory.messages.append('c', says('three'))
    await memory.messages.append('c', says('four'), { userId: 'ada' })
    await memory.messages.upsert('c', says('five', 'm5'))
    expect(await contents(memory, 'c')).toEqual(['three', 'four', 'five'])
    await back(ground)
    expect(await contents(memory, 'c')).toEqual(['one', 'two', 'three', 'four', 'five'])
    expect(await memory.conversations.get('c')).toMatchObject({ userId: 'ada', messageCount: 5, lastPosition: 5 })
    expect((await memory.users.list()).items.map(({ id }) => id)).toEqual(['ada'])
  })

  test('is named by sessions, memories and replies', async () => {
    const ground = await away()
    const { memory } = ground
    await memory.sessions.create({ id: 's2', userId: 'ada', conversationId: 'c' })
    await memory.memories.add({ id: 'y', userId: 'bob', conversationId: 'c', content: 'new' })
    await memory.messages.append('c', [
      { ...says('three', 'm3'), parentId: 'm1' },
      { ...says('four'), parentId: 'm3' },
    ])
    await back(ground)
    expect(await memory.sessions.get('s2')).toMatchObject({ conversationId: 'c' })
    expect(await memory.memories.get('y')).toMatchObject({ userId: 'bob', conversationId: 'c' })
    expect((await memory.messages.list('c')).items.map(({ parentId }) => parentId)).toEqual([null, null, 'm1', 'm3'])
  })

  test('of another user is found out at the end', async () => {
    const ground = await away()
    const { memory, first } = ground
    await memory.messages.append('c', says('mine'), { userId: 'eve' })
    first.up()
    expect(await memory.handBack()).toMatchObject({ finished: true, parked: 1 })
    expect(await contents(memory, 'c')).toEqual(['one', 'two'])
  })

  test('a stub of a refused append is not left behind', async () => {
    const { memory } = await away()
    await memory.unitOfWork(async (unit) => {
      await refused(() => unit.messages.append('c', says(' ')), 'validation')
    })
    expect(await memory.conversations.get('c')).toBeNull()
    expect(memory.status().journal).toBe(0)
  })
})

describe('a record that the standing backend has never seen', () => {
  test.each<[string, (ground: Ground) => Promise<unknown>]>([
    ['users.update', ({ memory }) => memory.users.update('ada', { name: 'Ada' })],
    ['users.delete', ({ memory }) => memory.users.delete('ada')],
    ['conversations.update', ({ memory }) => memory.conversations.update('c', { title: 'x' })],
    ['conversations.delete', ({ memory }) => memory.conversations.delete('c')],
    ['messages.update', ({ memory }) => memory.messages.update('c', 'm1', { content: 'x' })],
    ['messages.delete', ({ memory }) => memory.messages.delete('c', 'm1')],
    ['messages.branch', ({ memory }) => memory.messages.branch('c', 'm1')],
    ['sessions.update', ({ memory }) => memory.sessions.update('s', { state: { a: 1 } })],
    ['sessions.end', ({ memory }) => memory.sessions.end('s')],
    ['sessions.touch', ({ memory }) => memory.sessions.touch('s')],
    ['sessions.delete', ({ memory }) => memory.sessions.delete('s')],
    ['memories.update', ({ memory }) => memory.memories.update('x', { content: 'y' })],
    ['memories.delete', ({ memory }) => memory.memories.delete('x')],
    ['documents.delete', ({ memory }) => memory.documents.delete('n', 'd')],
  ])('is not said to be nowhere by %s, and the backend serves on', async (_, call) => {
    const ground = await away()
    const error = await refused(() => call(ground), 'connection')
    expect(error).toMatchObject({ retryable: true, outcome: 'none' })
    expect(error.message).toMatch(/may be in the backend that is away/)
    expect(ground.memory.status()).toMatchObject({ serving: 'sqlite#2', journal: 0 })
    expect(ground.memory.status().backends[1]).toMatchObject({ healthy: true, reason: null })
  })

  test('is said to be in doubt where the first may have stored it', async () => {
    const { memory, first } = await chain()
    await memory.users.create({ id: 'ada' })
    first.mood = 'lost'
    const error = await refused(() => memory.users.update('ada', { name: 'Ada' }), 'connection')
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error).toMatchObject({ outcome: 'unknown' })
  })

  test('is gone where it was deleted in the outage', async () => {
    const { memory } = await away()
    await memory.users.create({ id: 'bob' })
    await memory.users.delete('bob')
    await refused(() => memory.users.delete('bob'), 'not-found')
  })

  test('can be cleared and emptied of a namespace', async () => {
    const ground = await away()
    const { memory } = ground
    expect(await memory.messages.clear('c')).toBe(0)
    expect(await memory.documents.deleteNamespace('n')).toBe(0)
    await memory.messages.append('c', says('three'))
    await back(ground)
    expect(await contents(memory, 'c')).toEqual(['three'])
    expect(await memory.documents.get('n', 'd')).toBeNull()
  })
})

describe('answers of an outage', () => {
  test('are marked: pages, arrays and the records in them', async () => {
    const { memory } = await away()
    const appended = await memory.messages.append('c', says('three words'))
    const page = await memory.messages.list('c')
    const hits = await memory.search({ text: 'words' })
    const user = await memory.users.create({ id: 'bob' })
    const inUnit = await memory.unitOfWork((unit) => unit.users.get('bob'))
    const recalled = await memory.memories.recall({ text: 'first' })
    const texts = await memory.retrieveMessages('c')
    expect(hits).toHaveLength(1)
    const marked = [
      appended,
      appended[0],
      page,
      page.items,
      page.items[0],
      hits,
      hits[0],
      user,
      inUnit,
      recalled,
      texts,
    ]
    expect(marked.map((each) => each && isDegraded(each))).toEqual(marked.map(() => true))
  })

  test('of other times are not', async () => {
    const ground = await away()
    const { memory } = ground
    await memory.messages.append('c', says('three'))
    await back(ground)
    const page = await memory.messages.list('c')
    expect([page, page.items, page.items[0]].map((each) => each && isDegraded(each))).toEqual([false, false, false])
  })
})

describe('a cursor', () => {
  const field = async (call: () => Promise<unknown>): Promise<string> => {
    const error = await refused(call, 'validation')
    return (error as ValidationError).field
  }

  test('from before an outage is refused in it', async () => {
    const { memory, first } = await chain()
    await memory.messages.append('c', [says('one'), says('two')], { userId: 'ada' })
    const { after } = await memory.messages.list('c', { first: 1 })
    const users = await memory.users.list()
    first.mood = 'away'
    await memory.messages.append('c', says('three'))
    expect(await field(() => memory.messages.list('c', { after: after as string }))).toBe('after')
    expect(await field(() => memory.users.list({ before: users.before as string }))).toBe('before')
    expect(await field(() => memory.messages.clear('c', { before: after as string }))).toBe('before')
    expect(memory.status().journal).toBe(1)
  })

  test('of an outage serves in it and is refused after it, and in the next one', async () => {
    const ground = await away()
    const { memory, first } = ground
    await memory.messages.append('c', [says('3'), says('4'), says('5')])
    const page = await memory.messages.list('c', { first: 1 })
    const after = page.after as string
    expect((await memory.messages.list('c', { after })).items.map(({ content }) => content)).toEqual(['4', '5'])
    expect(await contents(memory, 'c')).toEqual(['3', '4', '5'])
    await memory.unitOfWork(async (unit) => {
      expect((await unit.messages.list('c', { after })).items).toHaveLength(2)
    })
    await back(ground)
    expect(await field(() => memory.messages.list('c', { after }))).toBe('after')
    first.mood = 'away'
    await memory.messages.append('c', says('6'))
    expect(await field(() => memory.messages.list('c', { after }))).toBe('after')
  })

  test('says up to where a conversation is cleared, whatever the positions', async () => {
    const ground = await away()
    const { memory } = ground
    await memory.messages.append('c', [says('3'), says('4'), says('5')])
    const { before } = await memory.messages.list('c', { last: 1 })
    expect(await memory.messages.clear('c', { before: before as string })).toBe(2)
    await back(ground)
    expect(await contents(memory, 'c')).toEqual(['5'])
  })
})
