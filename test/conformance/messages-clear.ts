import { expect, it } from 'vitest'
import { missing, refused } from './expecting.js'
import { ADA, answers, contentsOf, idsOf, instructs, numbered, positionsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeMessagesClear(harness: Harness): void {
  suite(harness, 'messages: clear', ['messages'], itClears)
  suite(harness, 'messages: branch', ['messages', 'conversations'], (ground) => {
    itBranches(ground)
    itRefusesBranches(ground)
  })
}

function itClears(ground: Ground): void {
  it('keeps system messages unless told otherwise, and says how many went', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [instructs('s'), says('u'), answers('a')])
    expect(await memory.messages.clear('c')).toBe(2)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['s'])
    expect(await memory.messages.clear('c')).toBe(0)
    expect(await memory.messages.clear('c', { keepSystem: false })).toBe(1)
    expect((await memory.messages.list('c')).items).toEqual([])
  })

  it('clears only what stands in front of a cursor', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', numbered(6))
    const { before } = await memory.messages.list('c', { last: 2 })
    expect(await memory.messages.clear('c', { before: before ?? undefined })).toBe(4)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['n5', 'n6'])
  })

  it('clears only what was made before an instant', async () => {
    const memory = await ground.open()
    const at = (ms: number) => ground.clock.date(ms)
    await talk(memory, 'c', [
      says('old', { createdAt: at(-2) }),
      says('new', { createdAt: at(0) }),
      says('imported', { createdAt: at(-1) }),
    ])
    expect(await memory.messages.clear('c', { before: at(0) })).toBe(2)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['new'])
  })

  it('leaves other conversations alone and replies without the parents that went', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('q', { id: 'q' }), instructs('s', { id: 's', parentId: 'q' })])
    await talk(memory, 'c2', [says('q', { id: 'q' }), instructs('s', { id: 's', parentId: 'q' })])
    expect(await memory.messages.clear('c')).toBe(1)
    expect((await memory.messages.get('c', 's'))?.parentId).toBeNull()
    expect((await memory.messages.get('c2', 's'))?.parentId).toBe('q')
    expect((await memory.messages.list('c2')).items).toHaveLength(2)
  })

  it('refuses an option that it does not know and a date that is none', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    await refused(memory.messages.clear('c', { before: new Date(Number.NaN) }), 'validation', 'before')
    await refused(memory.messages.clear('c', { keepSytem: false } as object), 'validation', 'keepSytem')
    await refused(memory.messages.clear('c', { keepSystem: 'no' as unknown as boolean }), 'validation', 'keepSystem')
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })
}

function itBranches(ground: Ground): void {
  it('copies everything up to and including the message, with ids, order, times and parents', async () => {
    const memory = await ground.open()
    await memory.conversations.create({ id: 'c', userId: ADA, title: 'trip', tags: ['x'], metadata: { k: 1 } })
    const original = await memory.messages.append('c', [
      instructs('s', { id: 's', createdAt: new Date(5) }),
      says('q', { id: 'q', type: 'image', parts: [1], metadata: { m: 1 } }),
      answers('a', { id: 'a', parentId: 'q', status: 'aborted' }),
      says('beyond', { id: 'z', parentId: 'a' }),
    ])
    ground.clock.advance(60_000)
    const branch = await memory.messages.branch('c', 'a', { id: 'b', title: 'other trip' })
    expect(branch).toMatchObject({ id: 'b', userId: ADA, title: 'other trip', messageCount: 3 })
    expect(branch.metadata).toHaveProperty('branchedFrom', { conversationId: 'c', messageId: 'a' })
    expect(await memory.conversations.get('b')).toEqual(branch)
    const { items } = await memory.messages.list('b')
    const kept = original.slice(0, 3).map((m) => ({ ...m, conversationId: 'b' }))
    expect(items.map((m) => ({ ...m, updatedAt: null, version: null }))).toEqual(
      kept.map((m) => ({ ...m, updatedAt: null, version: null })),
    )
    expect((await memory.messages.list('c')).items).toEqual(original)
  })

  it('grows on its own: what is done to one is not seen in the other', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' }), says('b', { id: 'b' })])
    const branch = await memory.messages.branch('c', 'a')
    const [grown] = await memory.messages.append(branch.id, says('b in the branch', { id: 'b', parentId: 'a' }))
    const { items } = await memory.messages.list(branch.id)
    expect(contentsOf(items)).toEqual(['a', 'b in the branch'])
    expect(grown?.position).toBeGreaterThan(items[0]?.position ?? Number.NaN)
    await memory.messages.update(branch.id, 'a', { content: 'edited' })
    await memory.conversations.delete(branch.id)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['a', 'b'])
  })

  it('a parent that is not copied is none in the branch', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' }), says('b', { id: 'b' })])
    await memory.messages.upsert('c', says('a', { id: 'a', parentId: 'b' }))
    const branch = await memory.messages.branch('c', 'a')
    const { items } = await memory.messages.list(branch.id)
    expect(items.map((m) => [m.id, m.parentId])).toEqual([['a', null]])
  })

  it('a long conversation is branched whole', async () => {
    const memory = await ground.open()
    const stored = await talk(
      memory,
      'c',
      numbered(1200).map((content) => says(content, { id: content })),
    )
    const branch = await memory.messages.branch('c', 'n1150')
    expect(branch.messageCount).toBe(1150)
    const { items } = await memory.messages.list(branch.id, { last: 1000 })
    expect(positionsOf(items)).toEqual(positionsOf(stored.slice(150, 1150)))
    expect(idsOf(items)).toEqual(numbered(1150).slice(150))
  })
}

function itRefusesBranches(ground: Ground): void {
  it('an unknown conversation or message is missing and no conversation is made', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' })])
    await missing(memory.messages.branch('unknown', 'a', { id: 'b' }), 'conversation')
    await missing(memory.messages.branch('c', 'unknown', { id: 'b' }), 'message')
    expect(await memory.conversations.get('b')).toBeNull()
  })

  it('an id that exists is a conflict and changes nothing', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' })])
    await talk(memory, 'taken', ['x'])
    const before = await memory.conversations.get('taken')
    await refused(memory.messages.branch('c', 'a', { id: 'taken' }), 'conflict')
    await refused(memory.messages.branch('c', 'a', { id: 'c' }), 'conflict')
    expect(await memory.conversations.get('taken')).toEqual(before)
    expect(contentsOf((await memory.messages.list('taken')).items)).toEqual(['x'])
  })
}
