import { expect, it } from 'vitest'
import type { NewMessage } from '../../src/model/inputs.js'
import type { Message } from '../../src/model/records.js'
import { missing, refused } from './expecting.js'
import { ADA, answers, contentsOf, idsOf, instructs, positionsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeMessagesAppend(harness: Harness): void {
  suite(harness, 'messages: append', ['messages'], (ground) => {
    itStores(ground)
    itRefusesBatches(ground)
    itChecksParents(ground)
  })
  suite(harness, 'messages: append and its conversation', ['messages', 'conversations', 'users'], itCounts)
}

const FULL = {
  id: 'm1',
  role: 'tool',
  type: 'file',
  content: '  kept: spaces,\ttabs,\r\nline ends\n ',
  parts: [{ kind: 'call', arguments: { city: 'Lisbon', days: [1, 2.5, null] } }, 'text', 7, true, null],
  name: 'weather',
  toolCallId: 'call_1',
  status: 'draft',
  metadata: { tokens: 12, 'a.b': { deep: [true] }, empty: {} },
  createdAt: new Date('2021-03-04T05:06:07.089Z'),
  updatedAt: new Date('2022-03-04T05:06:07.089Z'),
} satisfies NewMessage

function itStores(ground: Ground): void {
  it('answers the messages as stored, and get and list answer the same', async () => {
    const memory = await ground.open()
    const stored = await talk(memory, 'c', [FULL, says('plain')])
    const { position, ...rest } = stored[0] as Message
    expect(rest).toEqual({ ...FULL, tenantId: 'default', conversationId: 'c', parentId: null, version: 1 })
    expect(position).toBeGreaterThan(0)
    expect(await memory.messages.get('c', 'm1')).toEqual(stored[0])
    expect((await memory.messages.list('c')).items).toEqual(stored)
  })

  it('fills in defaults: an id, type text, status complete, the clock', async () => {
    const memory = await ground.open()
    const [message] = await talk(memory, 'c', ['hello'])
    expect(message).toMatchObject({
      type: 'text',
      status: 'complete',
      parts: null,
      name: null,
      toolCallId: null,
      parentId: null,
      metadata: {},
      version: 1,
      createdAt: ground.clock.date(),
      updatedAt: ground.clock.date(),
    })
    expect(message?.id).toMatch(/./)
  })

  it('takes ids from options.newId where the caller gives none', async () => {
    let made = 0
    const memory = await ground.open({ newId: () => `made-${++made}` })
    const [own, given] = await talk(memory, 'c', [says('a'), says('b', { id: 'mine' })])
    expect(own?.id).toMatch(/^made-\d+$/)
    expect(given?.id).toBe('mine')
  })

  it('takes a single message like a batch of one', async () => {
    const memory = await ground.open()
    const stored = await memory.messages.append('c', says('one'), { userId: ADA })
    expect(contentsOf(stored)).toEqual(['one'])
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['one'])
  })

  it('keeps the order of the batch and of the calls, whatever the times say', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [
      says('late', { createdAt: new Date('2039-01-01') }),
      says('early', { createdAt: new Date(0) }),
    ])
    ground.clock.advance(-1_000_000)
    await talk(memory, 'c', ['last'])
    const { items } = await memory.messages.list('c')
    expect(contentsOf(items)).toEqual(['late', 'early', 'last'])
    const positions = positionsOf(items)
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
  })

  it('accepts blank content where parts stand, in every role and type', async () => {
    const memory = await ground.open()
    const parts = [{ kind: 'image', url: 'https://example.org/a.png' }]
    const stored = await talk(memory, 'c', [
      { role: 'user', type: 'image', parts },
      { role: 'assistant', content: ' ', parts },
      { role: 'function', type: 'command', content: 'f', name: 'f' },
      { role: 'system', type: 'action', content: 's' },
      { role: 'user', type: 'audio', content: 'a' },
    ])
    expect(contentsOf(stored)).toEqual(['', ' ', 'f', 's', 'a'])
    expect((await memory.messages.list('c')).items).toEqual(stored)
  })

  it('uses the same id in two conversations for two messages', async () => {
    const memory = await ground.open()
    await talk(memory, 'c1', [says('first', { id: 'm' })])
    await talk(memory, 'c2', [says('second', { id: 'm' })])
    expect((await memory.messages.get('c1', 'm'))?.content).toBe('first')
    expect((await memory.messages.get('c2', 'm'))?.content).toBe('second')
  })

  it('stores what was given, not what the caller makes of it afterwards', async () => {
    const memory = await ground.open()
    const metadata = { key: 'before' }
    const message = { role: 'user' as const, content: 'before', metadata }
    const pending = memory.messages.append('c', [message], { userId: ADA })
    message.content = 'after'
    metadata.key = 'after'
    await pending
    const [stored] = (await memory.messages.list('c')).items
    expect([stored?.content, stored?.metadata]).toEqual(['before', { key: 'before' }])
  })
}

function itRefusesBatches(ground: Ground): void {
  ground.promise(
    'no-append-conflict',
    'an id that exists is a conflict and changes nothing',
    async () => {
      const memory = await ground.open()
      const before = await talk(memory, 'c', [says('first', { id: 'm' })])
      await refused(talk(memory, 'c', [says('second', { id: 'm' })]), 'conflict')
      await refused(talk(memory, 'c', [says('fresh'), says('second', { id: 'm' })]), 'conflict')
      expect((await memory.messages.list('c')).items).toEqual(before)
    },
    async () => {
      const memory = await ground.open()
      await talk(memory, 'c', [says('first', { id: 'm' })])
      await talk(memory, 'c', [says('second', { id: 'm' })]).catch(() => {})
      const { items } = await memory.messages.list('c')
      expect(idsOf(items)).toEqual(['m'])
      expect(['first', 'second']).toContain(items[0]?.content)
    },
  )

  it('an id twice in one batch is refused and nothing is written', async () => {
    const memory = await ground.open()
    const error = await talk(memory, 'c', [says('a', { id: 'm' }), says('b', { id: 'm' })]).catch((e: unknown) => e)
    expect(['conflict', 'validation']).toContain((error as { code?: string }).code)
    expect((await memory.messages.list('c')).items).toEqual([])
  })

  it('one bad message of a batch is named by its index and nothing is written', async () => {
    const memory = await ground.open()
    const batch = [says('0'), says('1'), says('2'), says(' '), says('4')]
    await refused(talk(memory, 'c', batch), 'validation', 'messages[3].content')
    expect((await memory.messages.list('c')).items).toEqual([])
  })
}

function itChecksParents(ground: Ground): void {
  it('a reply may name a message of the conversation or an earlier one of its batch', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('question', { id: 'q' })])
    const stored = await talk(memory, 'c', [
      answers('answer', { id: 'a', parentId: 'q' }),
      says('thanks', { parentId: 'a' }),
      says('no parent', { parentId: null }),
    ])
    expect(stored.map((m) => m.parentId)).toEqual(['q', 'a', null])
    expect((await memory.messages.list('c')).items.slice(1)).toEqual(stored)
  })

  it('a parent that is not there, comes later or stands in another conversation is refused by index', async () => {
    const memory = await ground.open()
    await talk(memory, 'other', [says('elsewhere', { id: 'x' })])
    await talk(memory, 'c', ['here'])
    for (const parentId of ['x', 'unknown', 'later', 'itself']) {
      const batch = [says('a'), says('b', { id: 'itself', parentId }), says('c', { id: 'later' })]
      await refused(talk(memory, 'c', batch), 'validation', 'messages[1].parentId')
    }
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['here'])
  })
}

function itCounts(ground: Ground): void {
  it('makes the user and the conversation where they are absent', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['hello'])
    expect(await memory.users.get(ADA)).toMatchObject({ id: ADA, name: null, version: 1 })
    expect(await memory.conversations.get('c')).toMatchObject({ id: 'c', userId: ADA, title: null, messageCount: 1 })
  })

  it('without a user, an unknown conversation is missing and is not made', async () => {
    const memory = await ground.open()
    await missing(memory.messages.append('c', says('a')), 'conversation')
    await missing(memory.messages.upsert('c', says('a')), 'conversation')
    expect(await memory.conversations.get('c')).toBeNull()
  })

  it("another user's conversation is missing for a user, and that user is not made", async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('mine', { id: 'm' })])
    await missing(talk(memory, 'c', ['theirs'], 'bob'), 'conversation')
    await missing(memory.messages.upsert('c', says('theirs'), { userId: 'bob' }), 'conversation')
    await missing(memory.messages.upsert('c', says('theirs', { id: 'm' }), { userId: 'bob' }), 'conversation')
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['mine'])
    expect(await memory.users.get('bob')).toBeNull()
  })

  it("raises the conversation's count, last position and time, not its version", async () => {
    const memory = await ground.open()
    const rest = { title: 'trip', summary: 's', tags: ['x'], metadata: { k: 1 }, expiresAt: ground.clock.date(10_000) }
    const made = await memory.conversations.create({ id: 'c', userId: ADA, ...rest })
    expect([made.messageCount, made.lastPosition, made.version]).toEqual([0, 0, 1])
    ground.clock.advance(5000)
    const stored = await memory.messages.append('c', [instructs('a'), says('b')])
    const after = await memory.conversations.get('c')
    expect(after).toEqual({
      ...made,
      messageCount: 2,
      lastPosition: stored[1]?.position,
      updatedAt: ground.clock.date(),
    })
  })

  it('a refused append leaves count and positions as they were', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'm' })])
    const before = await memory.conversations.get('c')
    await refused(talk(memory, 'c', [says('b'), says('c', { id: 'm' })]), 'conflict')
    await refused(talk(memory, 'c', [says('b'), says('c', { parentId: 'unknown' })]), 'validation')
    expect(await memory.conversations.get('c')).toEqual(before)
    expect(idsOf((await memory.messages.list('c')).items)).toEqual(['m'])
  })
}
