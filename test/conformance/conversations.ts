import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { NewConversation } from '../../src/model/inputs.js'
import { missing, refused } from './expecting.js'
import { ADA, byBytes, collect, idsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'
import { itPages } from './listing.js'

export function describeConversations(harness: Harness): void {
  suite(harness, 'conversations', ['conversations', 'users'], (ground) => {
    itCreates(ground)
    itUpdates(ground)
  })
  suite(harness, 'conversations: delete', ['conversations', 'messages', 'sessions', 'memories'], itDeletes)
  suite(harness, 'conversations: list', ['conversations', 'users'], itLists)
}

const FULL = {
  id: 'c',
  userId: ADA,
  title: ' \u65c5\u884c ',
  summary: 'a\nb',
  tags: ['x', 'X', 'a b', "'"],
  metadata: { k: [1, { deep: null }] },
  language: 'german',
  expiresAt: new Date('9999-12-31T23:59:59.999Z'),
  createdAt: new Date('0001-01-01T00:00:00.000Z'),
  updatedAt: new Date(-1),
} satisfies NewConversation

function itCreates(ground: Ground): void {
  it('stores every field and answers it, and get answers the same', async () => {
    const memory = await ground.open()
    const conversation = await memory.conversations.create(FULL)
    expect(conversation).toEqual({ ...FULL, tenantId: 'default', messageCount: 0, lastPosition: 0, version: 1 })
    expect(await memory.conversations.get('c')).toEqual(conversation)
  })

  it('fills in what is not given and makes the user', async () => {
    const memory = await ground.open()
    const conversation = await memory.conversations.create({ userId: ADA })
    expect(conversation).toEqual({
      id: conversation.id,
      userId: ADA,
      tenantId: 'default',
      title: null,
      summary: null,
      tags: [],
      metadata: {},
      language: null,
      messageCount: 0,
      lastPosition: 0,
      expiresAt: null,
      createdAt: ground.clock.date(),
      updatedAt: ground.clock.date(),
      version: 1,
    })
    expect(await memory.users.get(ADA)).toMatchObject({ id: ADA, version: 1 })
  })

  it('leaves a user who is there as they are', async () => {
    const memory = await ground.open()
    const user = await memory.users.create({ id: ADA, name: 'Ada', metadata: { k: 1 } })
    ground.clock.advance(10)
    await memory.conversations.create({ userId: ADA })
    expect(await memory.users.get(ADA)).toEqual(user)
  })

  it('an id that exists is a conflict and changes nothing, the user of the refused one is not made', async () => {
    const memory = await ground.open()
    const conversation = await memory.conversations.create(FULL)
    await refused(memory.conversations.create({ id: 'c', userId: 'bob' }), 'conflict')
    expect(await memory.conversations.get('c')).toEqual(conversation)
    expect(await memory.users.get('bob')).toBeNull()
  })
}

function itUpdates(ground: Ground): void {
  it('replaces plain fields and tags, merges metadata one level deep', async () => {
    const memory = await ground.open()
    const before = await memory.conversations.create({ ...FULL, metadata: { a: { x: 1, y: 1 }, b: 1 } })
    ground.clock.advance(1)
    const after = await memory.conversations.update('c', {
      title: null,
      tags: ['z'],
      metadata: { a: { x: 2 } },
      expiresAt: null,
    })
    expect(after).toEqual({
      ...before,
      title: null,
      tags: ['z'],
      metadata: { a: { x: 2 }, b: 1 },
      expiresAt: null,
      updatedAt: ground.clock.date(),
      version: 2,
    })
    expect(await memory.conversations.get('c')).toEqual(after)
  })

  it('writes only over the version that was read; unknown ones are missing', async () => {
    const memory = await ground.open()
    await memory.conversations.create({ id: 'c', userId: ADA })
    await memory.conversations.update('c', { title: 'a' }, { version: 1 })
    await refused(memory.conversations.update('c', { title: 'b' }, { version: 1 }), 'conflict')
    await missing(memory.conversations.update('unknown', { title: 'b' }), 'conversation')
    expect(await memory.conversations.get('c')).toMatchObject({ title: 'a', version: 2 })
  })
}

function itDeletes(ground: Ground): void {
  it('takes its messages; sessions and memories that named it stay and name none', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' }), 'b'])
    await talk(memory, 'other', ['kept'])
    const session = await memory.sessions.create({ userId: ADA, conversationId: 'c' })
    const entry = await memory.memories.add({ userId: ADA, conversationId: 'c', content: 'x' })
    ground.clock.advance(1)
    await memory.conversations.delete('c')
    expect(await memory.conversations.get('c')).toBeNull()
    expect((await memory.messages.list('c')).items).toEqual([])
    expect(await memory.messages.get('c', 'a')).toBeNull()
    const unlinked = { conversationId: null, version: 2, updatedAt: ground.clock.date() }
    expect(await memory.sessions.get(session.id)).toEqual({ ...session, ...unlinked })
    expect(await memory.memories.get(entry.id)).toEqual({ ...entry, ...unlinked })
    expect(await memory.statistics()).toMatchObject({
      users: 1,
      conversations: 1,
      messages: 1,
      sessions: 1,
      memories: 1,
    })
    await missing(memory.conversations.delete('c'), 'conversation')
  })

  it('an id that was deleted can be used again, from the beginning', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a', 'b'])
    await memory.conversations.delete('c')
    const again = await memory.conversations.create({ id: 'c', userId: 'bob' })
    expect(again).toMatchObject({ userId: 'bob', messageCount: 0, version: 1 })
    await memory.messages.append('c', says('new'))
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })
}

const create = (memory: Memory, id: string, at: number, userId = ADA) =>
  memory.conversations.create({ id, userId, createdAt: new Date(at) })

function itLists(ground: Ground): void {
  it('goes newest first, and by id where the time is the same', async () => {
    const memory = await ground.open()
    for (const [id, at] of [
      ['old', 5],
      ['A', 10],
      ['a', 10],
      ['\u{1f600}', 10],
      ['\uff5e', 10],
      ['new', 15],
    ] as const)
      await create(memory, id, at)
    expect(idsOf((await memory.conversations.list()).items)).toEqual(['new', '\u{1f600}', '\uff5e', 'a', 'A', 'old'])
  })

  it('does not reorder when a conversation is used', async () => {
    const memory = await ground.open()
    await create(memory, 'old', 5)
    await create(memory, 'new', 10)
    await memory.messages.append('old', says('x'))
    await memory.conversations.update('old', { title: 'x' })
    expect(idsOf((await memory.conversations.list()).items)).toEqual(['new', 'old'])
  })

  it('narrows by user, pages included', async () => {
    const memory = await ground.open()
    for (let i = 0; i < 12; i++) await create(memory, `c${i}`, i, i % 3 === 0 ? 'bob' : ADA)
    const first = await memory.conversations.list({ userId: 'bob', limit: 3 })
    expect(idsOf(first.items)).toEqual(['c9', 'c6', 'c3'])
    const second = await memory.conversations.list({ userId: 'bob', limit: 3, after: first.after ?? undefined })
    expect(idsOf(second.items)).toEqual(['c0'])
    expect(second.hasMore).toBe(false)
    expect(idsOf(await collect(memory.conversations.each({ userId: 'bob' })))).toEqual(['c9', 'c6', 'c3', 'c0'])
    expect((await memory.conversations.list({ userId: 'nobody' })).items).toEqual([])
  })

  itPages(ground, {
    async fill(memory, count) {
      // Two or three to each instant, so that the id decides within a page and across its end.
      const made = Array.from({ length: count }, (_, i) => ({ id: `c${i}`, at: 1000 + Math.floor(i / 2.5) }))
      await Promise.all(made.map(({ id, at }) => create(memory, id, at)))
      return made.sort((a, b) => b.at - a.at || byBytes(b.id, a.id)).map(({ id }) => id)
    },
    addFirst: async (memory) => (await create(memory, 'first', 100_000)).id,
    remove: (memory, id) => memory.conversations.delete(id),
    list: (memory, options) => memory.conversations.list(options),
    each: (memory) => memory.conversations.each(),
    key: (conversation) => conversation.id,
  })
}
