import { expect, it } from 'vitest'
import { missing, refused } from './expecting.js'
import { ADA, answers, contentsOf, idsOf, instructs, positionsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeMessagesEdit(harness: Harness): void {
  suite(harness, 'messages: update and delete', ['messages'], (ground) => {
    itUpdates(ground)
    itDeletes(ground)
  })
  suite(harness, 'messages: upsert', ['messages'], itUpserts)
  suite(harness, 'messages: turns', ['messages'], itCountsTurns)
}

function itUpdates(ground: Ground): void {
  it('changes what the patch names and nothing else', async () => {
    const memory = await ground.open()
    const [before] = await talk(memory, 'c', [
      says('draft', { id: 'm', status: 'draft', metadata: { a: 1, b: { c: 1, d: 1 } } }),
    ])
    ground.clock.advance(1000)
    const patch = { content: ' final ', status: 'complete', metadata: { b: { c: 2 }, e: null }, parts: [1] } as const
    const after = await memory.messages.update('c', 'm', patch)
    expect(after).toEqual({
      ...before,
      content: ' final ',
      status: 'complete',
      parts: [1],
      metadata: { a: 1, b: { c: 2 }, e: null },
      updatedAt: ground.clock.date(),
      version: 2,
    })
    expect(await memory.messages.get('c', 'm')).toEqual(after)
  })

  it('properties that are undefined are as absent', async () => {
    const memory = await ground.open()
    const [before] = await talk(memory, 'c', [says('a', { id: 'm', name: 'n', metadata: { k: 1 } })])
    const after = await memory.messages.update('c', 'm', {
      content: undefined,
      name: undefined,
      metadata: { k: undefined as never },
    })
    expect({ ...after, version: 1, updatedAt: before?.updatedAt }).toEqual(before)
  })

  it('blank content is refused where no parts stand, judged by what the update leaves', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'm' }), says('b', { id: 'p', parts: [1] })])
    await refused(memory.messages.update('c', 'm', { content: ' ' }), 'validation', 'content')
    expect((await memory.messages.update('c', 'p', { content: ' ' })).content).toBe(' ')
    await refused(memory.messages.update('c', 'p', { parts: null }), 'validation', /^(parts|content)$/)
    expect((await memory.messages.get('c', 'p'))?.parts).toEqual([1])
  })

  ground.promise(
    'no-compare-and-set',
    'an update of another version is a conflict and changes nothing',
    async () => {
      const memory = await ground.open()
      await talk(memory, 'c', [says('1', { id: 'm' })])
      await memory.messages.update('c', 'm', { content: '2' }, { version: 1 })
      await refused(memory.messages.update('c', 'm', { content: '3' }, { version: 1 }), 'conflict')
      expect(await memory.messages.get('c', 'm')).toMatchObject({ content: '2', version: 2 })
    },
    async () => {
      const memory = await ground.open()
      await talk(memory, 'c', [says('1', { id: 'm' })])
      const updated = await memory.messages.update('c', 'm', { content: '2' }, { version: 1 })
      expect(updated).toMatchObject({ content: '2', version: 2 })
    },
  )
}

function itDeletes(ground: Ground): void {
  it('a deleted message is gone and its replies stay without a parent', async () => {
    const memory = await ground.open()
    const [, reply, kept] = await talk(memory, 'c', [
      says('q', { id: 'q' }),
      answers('a', { id: 'a', parentId: 'q' }),
      says('b', { id: 'b', parentId: 'a' }),
    ])
    ground.clock.advance(1)
    await memory.messages.delete('c', 'q')
    expect(await memory.messages.get('c', 'q')).toBeNull()
    const { items } = await memory.messages.list('c')
    expect(items).toEqual([{ ...reply, parentId: null, version: 2, updatedAt: ground.clock.date() }, kept])
    await missing(memory.messages.delete('c', 'q'), 'message')
  })

  it('a position is not given again after a delete or a clear', async () => {
    const memory = await ground.open()
    const first = await talk(memory, 'c', [says('a'), says('b', { id: 'b' })])
    await memory.messages.delete('c', 'b')
    const second = await talk(memory, 'c', [says('c', { id: 'b' })])
    await memory.messages.clear('c', { keepSystem: false })
    const third = await talk(memory, 'c', ['d'])
    const positions = positionsOf([...first, ...second, ...third])
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['d'])
  })
}

function itUpserts(ground: Ground): void {
  it('replaces a message in its place and appends the others', async () => {
    const memory = await ground.open()
    const [, old] = await talk(memory, 'c', [
      says('a', { id: 'a' }),
      says('b', { id: 'b', name: 'n', metadata: { k: 1 }, parts: [1] }),
      says('c', { id: 'c', parentId: 'b' }),
    ])
    ground.clock.advance(1000)
    const stored = await memory.messages.upsert('c', [
      answers('b2', { id: 'b' }),
      says('d', { id: 'd', parentId: 'b' }),
    ])
    expect(stored[0]).toEqual({
      ...old,
      role: 'assistant',
      content: 'b2',
      name: null,
      metadata: {},
      parts: null,
      version: 2,
      updatedAt: ground.clock.date(),
    })
    const { items } = await memory.messages.list('c')
    expect(items.map((m) => [m.id, m.content, m.parentId])).toEqual([
      ['a', 'a', null],
      ['b', 'b2', null],
      ['c', 'c', 'b'],
      ['d', 'd', 'b'],
    ])
    expect(items[1]).toEqual(stored[0])
  })

  it('an upsert said twice leaves what it left once, and counts each message once', async () => {
    const memory = await ground.open()
    const batch = [says('a', { id: 'a' }), answers('b', { id: 'b', parentId: 'a' })]
    const first = await memory.messages.upsert('c', batch, { userId: ADA })
    const second = await memory.messages.upsert('c', batch, { userId: ADA })
    expect(second.map((m) => [m.id, m.position, m.content, m.parentId])).toEqual(
      first.map((m) => [m.id, m.position, m.content, m.parentId]),
    )
    expect((await memory.messages.list('c')).items).toEqual(second)
    if (!ground.lacks('conversations')) expect((await memory.conversations.get('c'))?.messageCount).toBe(2)
  })

  it('a parent is one that is there or stands earlier in the batch, also for a message that is replaced', async () => {
    const memory = await ground.open()
    const before = await talk(memory, 'c', [says('a', { id: 'a' }), says('b', { id: 'b' })])
    const later = [says('a2', { id: 'a', parentId: 'new' }), says('new', { id: 'new' })]
    await refused(memory.messages.upsert('c', later), 'validation', 'messages[0].parentId')
    for (const id of ['a', 'new'])
      await refused(memory.messages.upsert('c', says('x', { id, parentId: id })), 'validation', 'messages[0].parentId')
    expect((await memory.messages.list('c')).items).toEqual(before)
    const earlier = [says('new', { id: 'new' }), says('a2', { id: 'a', parentId: 'new' })]
    const stored = await memory.messages.upsert('c', earlier)
    expect(stored[1]?.parentId).toBe('new')
    expect(await memory.messages.get('c', 'a')).toEqual(stored[1])
  })

  it('one bad message leaves the others as they were', async () => {
    const memory = await ground.open()
    const before = await talk(memory, 'c', [says('a', { id: 'a' })])
    await refused(
      memory.messages.upsert('c', [says('a2', { id: 'a' }), says('', { id: 'b' })]),
      'validation',
      'messages[1].content',
    )
    await refused(
      memory.messages.upsert('c', [says('a2', { id: 'a' }), says('b', { parentId: 'unknown' })]),
      'validation',
      'messages[1].parentId',
    )
    expect((await memory.messages.list('c')).items).toEqual(before)
  })
}

function itCountsTurns(ground: Ground): void {
  it("counts user messages that an assistant's message follows", async () => {
    const memory = await ground.open()
    expect(await memory.messages.turnCount('unknown')).toBe(0)
    const turns: [count: number, ...Parameters<typeof talk>[2][number][]][] = [
      [0, instructs('s'), answers('greeting')],
      [0, says('u1')],
      [1, answers('a1'), answers('a1, continued')],
      // The other roles between the two are passed over; of two user messages the one before the answer has its turn.
      [2, says('u2'), says('u2, corrected'), { role: 'tool', content: 't' }, instructs('s'), answers('a2')],
      [2, { role: 'function', content: 'f' }, says('u3')],
    ]
    for (const [count, ...messages] of turns) {
      await talk(memory, 'c', messages)
      expect(await memory.messages.turnCount('c')).toBe(count)
    }
    expect(idsOf((await memory.messages.list('c')).items)).toHaveLength(12)
  })
}
