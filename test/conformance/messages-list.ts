import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { MessageListOptions } from '../../src/contract/repositories.js'
import { missing, refused } from './expecting.js'
import { answers, backward, collect, contentsOf, forward, idsOf, instructs, numbered, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'
import { GARBAGE } from './listing.js'

const EMPTY = { items: [], before: null, after: null, hasMore: false }
const list = (memory: Memory, options?: MessageListOptions) => memory.messages.list('c', options)

export function describeMessagesList(harness: Harness): void {
  suite(harness, 'messages: list', ['messages'], (ground) => {
    itAnswersWindows(ground)
    itFollowsCursors(ground)
    itRefusesCursors(ground)
  })
}

function itAnswersWindows(ground: Ground): void {
  it('a conversation without messages, or unknown, is an empty page', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'm' })])
    await memory.messages.delete('c', 'm')
    expect(await list(memory)).toEqual(EMPTY)
    expect(await memory.messages.list('unknown')).toEqual(EMPTY)
    expect(await memory.messages.get('unknown', 'm')).toBeNull()
    expect(await collect(memory.messages.each('unknown'))).toEqual([])
  })

  it('tells conversations and ids apart that are the same text once they are joined', async () => {
    const memory = await ground.open()
    const pairs = [':', '\u0001', '/', '|', '"', ','].flatMap((join) => [
      [`a${join}`, 'b'],
      ['a', `${join}b`],
      [`a${join}b`, 'b'],
    ]) as [string, string][]
    for (const [conversationId, id] of pairs)
      await talk(memory, conversationId, [says(`${conversationId} ${id}`, { id })])
    for (const [conversationId, id] of pairs) {
      expect((await memory.messages.get(conversationId, id))?.content).toBe(`${conversationId} ${id}`)
      const ids = pairs.filter(([of]) => of === conversationId).map(([, own]) => own)
      expect(idsOf((await memory.messages.list(conversationId)).items)).toEqual(ids)
    }
  })

  it('answers the newest n in chronological order, 50 by default', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(60))
    expect(contentsOf((await list(memory)).items)).toEqual(numbered(60).slice(10))
    const last = await list(memory, { last: 3 })
    expect(contentsOf(last.items)).toEqual(['n58', 'n59', 'n60'])
    expect(last.hasMore).toBe(true)
    expect((await list(memory, { last: 60 })).hasMore).toBe(false)
    expect((await list(memory, { last: 1000 })).items).toHaveLength(60)
  })

  it('answers the oldest n', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(5))
    const first = await list(memory, { first: 2 })
    expect(contentsOf(first.items)).toEqual(['n1', 'n2'])
    expect(first.hasMore).toBe(true)
    expect((await list(memory, { first: 5 })).hasMore).toBe(false)
  })

  it('narrows by roles before it counts', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [instructs('s'), says('u1'), answers('a1'), says('u2'), answers('a2'), says('u3')])
    expect(contentsOf((await list(memory, { roles: ['user'], last: 2 })).items)).toEqual(['u2', 'u3'])
    expect(contentsOf((await list(memory, { roles: ['system', 'assistant'] })).items)).toEqual(['s', 'a1', 'a2'])
    expect(await list(memory, { roles: ['tool'] })).toEqual(EMPTY)
    const first = await list(memory, { roles: ['user'], first: 2 })
    expect(first.hasMore).toBe(true)
    const rest = await list(memory, { roles: ['user'], after: first.after ?? undefined })
    expect(contentsOf(rest.items)).toEqual(['u3'])
    expect(contentsOf(await collect(memory.messages.each('c', { roles: ['assistant'] })))).toEqual(['a1', 'a2'])
  })

  it('iterates over a long conversation in order', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(1234))
    expect(contentsOf(await collect(memory.messages.each('c')))).toEqual(numbered(1234))
  })

  it('an iteration can be left early and begun again', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(300))
    const each = memory.messages.each('c')
    for await (const message of each) {
      expect(message.content).toBe('n1')
      break
    }
    expect(await collect(memory.messages.each('c'))).toHaveLength(300)
  })
}

function itFollowsCursors(ground: Ground): void {
  it('pages of any size, from either end, join to the whole', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(11))
    for (const limit of [1, 2, 5, 10, 11, 12]) {
      const oldest = await list(memory, { first: limit })
      expect(contentsOf(await forward((o) => list(memory, o), oldest, limit))).toEqual(numbered(11))
      const newest = await list(memory, { last: limit })
      expect(contentsOf(await backward((o) => list(memory, o), newest, limit))).toEqual(numbered(11))
    }
  })

  it('a cursor is exclusive and answers the nearest messages on its side', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(9))
    const { items } = await list(memory, { last: 9 })
    expect(items).toHaveLength(9)
    const middle = await list(memory, { before: (await list(memory, { last: 4 })).before ?? undefined, limit: 2 })
    expect(contentsOf(middle.items)).toEqual(['n4', 'n5'])
    expect(middle.hasMore).toBe(true)
    expect(contentsOf((await list(memory, { before: middle.before ?? undefined })).items)).toEqual(['n1', 'n2', 'n3'])
    expect(contentsOf((await list(memory, { after: middle.after ?? undefined, limit: 2 })).items)).toEqual(['n6', 'n7'])
    expect(contentsOf((await list(memory, { after: middle.before ?? undefined, limit: 1 })).items)).toEqual(['n5'])
  })

  it('a page stays right while messages come, change and go', async () => {
    const memory = await ground.open()
    await talk(
      memory,
      'c',
      numbered(9).map((content) => says(content, { id: content })),
    )
    const page = await list(memory, { last: 3 })
    await talk(memory, 'c', ['n10', 'n11'])
    for (const id of ['n5', 'n7', 'n9']) await memory.messages.delete('c', id)
    await memory.messages.update('c', 'n6', { content: 'n6, edited' })
    const older = await list(memory, { before: page.before ?? undefined, limit: 3 })
    expect(contentsOf(older.items)).toEqual(['n3', 'n4', 'n6, edited'])
    expect(contentsOf((await list(memory, { after: page.after ?? undefined })).items)).toEqual(['n10', 'n11'])
    await memory.messages.clear('c')
    expect(await list(memory, { before: page.before ?? undefined })).toEqual(EMPTY)
    await talk(memory, 'c', ['n12'])
    expect(contentsOf((await list(memory, { after: page.after ?? undefined })).items)).toEqual(['n12'])
  })

  it('a cursor of the newest message waits for what comes next', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    const { after } = await list(memory)
    expect(await list(memory, { after: after ?? undefined })).toEqual(EMPTY)
    await talk(memory, 'c', ['b', 'c'])
    expect(contentsOf((await list(memory, { after: after ?? undefined })).items)).toEqual(['b', 'c'])
  })
}

function itRefusesCursors(ground: Ground): void {
  it('a cursor of another conversation, or none at all, is refused', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(3))
    await talk(memory, 'c2', numbered(3))
    const other = await memory.messages.list('c2', { last: 1 })
    await refused(list(memory, { before: other.before ?? undefined }), 'validation', 'before')
    await refused(list(memory, { after: other.after ?? undefined }), 'validation', 'after')
    await refused(memory.messages.clear('c', { before: other.before ?? undefined }), 'validation', 'before')
    for (const cursor of GARBAGE) {
      await refused(list(memory, { before: cursor }), 'validation', 'before')
      await refused(list(memory, { after: cursor }), 'validation', 'after')
    }
  })

  it('refuses windows that contradict one another or are out of range', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(3))
    const { before, after } = await list(memory)
    const both = { before: before ?? undefined, after: after ?? undefined }
    await refused(list(memory, both), 'validation', /^(before|after)$/)
    await refused(list(memory, { first: 1, last: 1 }), 'validation', /^(first|last)$/)
    for (const bad of [0, -1, 1.5, 1001, Number.NaN])
      for (const name of ['first', 'last', 'limit'] as const)
        await refused(list(memory, { [name]: bad }), 'validation', name)
    await refused(list(memory, { roles: ['usr' as 'user'] }), 'validation', 'roles[0]')
    await refused(list(memory, { lats: 5 } as MessageListOptions), 'validation', 'lats')
  })

  it('an update or a delete of an unknown message is missing', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    await missing(memory.messages.update('c', 'unknown', { content: 'b' }), 'message')
    await missing(memory.messages.delete('c', 'unknown'), 'message')
    expect(await memory.messages.get('c', 'unknown')).toBeNull()
  })
}
