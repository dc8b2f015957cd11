import { expect, it } from 'vitest'
import { found, LIFE, mortalConversation } from './expiry-fixtures.js'
import { ADA, collect, contentsOf, idsOf } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeExpiry(harness: Harness): void {
  suite(harness, 'expiry: memories', ['memories'], itHidesMemories)
  suite(harness, 'expiry: documents', ['documents'], itHidesDocuments)
  suite(harness, 'expiry: sessions', ['sessions'], itHidesSessions)
  suite(harness, 'expiry: conversations', ['conversations', 'messages', 'users'], itHidesConversations)
}

function itHidesMemories(ground: Ground): void {
  it('an expired memory is absent from every read, exactly from its instant on', async () => {
    const memory = await ground.open()
    const mortal = await memory.memories.add({
      id: 'm',
      userId: ADA,
      content: 'zeppelin',
      expiresAt: ground.clock.date(LIFE),
    })
    const kept = await memory.memories.add({ id: 'k', userId: ADA, content: 'kept', importance: 0.1 })
    ground.clock.advance(LIFE - 1)
    expect(idsOf((await memory.memories.list()).items)).toEqual(['m', 'k'])
    expect(await memory.memories.get('m')).toEqual(mortal)
    ground.clock.advance(1)
    expect(await memory.memories.get('m')).toBeNull()
    expect(await memory.memories.list({ limit: 1 })).toMatchObject({ items: [kept], hasMore: false })
    expect(await collect(memory.memories.each())).toEqual([kept])
    expect(await memory.statistics()).toMatchObject({ memories: 1, memoriesByType: { long_term: 1 } })
    expect(await memory.statistics({ userId: ADA })).toMatchObject({ memories: 1 })
    expect(idsOf(await memory.memories.recall({ userId: ADA }))).toEqual(['k'])
    expect(await found(memory, 'zeppelin')).toEqual([])
  })

  it('is there on request until it is purged', async () => {
    const memory = await ground.open()
    const mortal = await memory.memories.add({
      id: 'm',
      userId: ADA,
      content: 'zeppelin',
      expiresAt: ground.clock.date(LIFE),
    })
    ground.clock.advance(LIFE)
    const includeExpired = true
    expect(await memory.memories.get('m', { includeExpired })).toEqual(mortal)
    expect((await memory.memories.list({ includeExpired })).items).toEqual([mortal])
    expect(await collect(memory.memories.each({ includeExpired }))).toEqual([mortal])
    expect(await found(memory, 'zeppelin', true)).toEqual(ground.lacks('textSearch') ? [] : ['m'])
    expect((await memory.purgeExpired()).memories).toBe(1)
    expect(await memory.memories.get('m', { includeExpired })).toBeNull()
    expect(await found(memory, 'zeppelin', true)).toEqual([])
  })

  it('its id can be used again before and after the purge', async () => {
    const memory = await ground.open()
    for (const purges of [false, true]) {
      await memory.memories.add({
        id: 'm',
        userId: ADA,
        content: 'old',
        tags: ['old'],
        expiresAt: ground.clock.date(LIFE),
      })
      ground.clock.advance(LIFE)
      if (purges) await memory.purgeExpired()
      const again = await memory.memories.add({
        id: 'm',
        userId: 'bob',
        content: 'new',
        expiresAt: ground.clock.date(LIFE),
      })
      expect(again).toMatchObject({ version: 1, userId: 'bob', tags: [], content: 'new' })
      expect(await memory.memories.get('m')).toEqual(again)
      if (!ground.lacks('textSearch')) expect(await found(memory, 'old', true)).toEqual([])
      ground.clock.advance(LIFE)
    }
  })

  it('a longer life given in time keeps it', async () => {
    const memory = await ground.open()
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x', expiresAt: ground.clock.date(LIFE) })
    await memory.memories.update('m', { expiresAt: ground.clock.date(2 * LIFE) })
    ground.clock.advance(LIFE)
    expect(await memory.memories.get('m')).not.toBeNull()
    expect((await memory.purgeExpired()).memories).toBe(0)
    await memory.memories.update('m', { expiresAt: null })
    ground.clock.advance(10 * LIFE)
    expect(await memory.memories.get('m')).not.toBeNull()
  })
}

function itHidesDocuments(ground: Ground): void {
  it('an expired document is absent from every read, there on request, gone after the purge', async () => {
    const memory = await ground.open()
    const [mortal] = await memory.documents.upsert([
      { namespace: 'n', id: 'd', content: 'zeppelin', expiresAt: ground.clock.date(LIFE) },
      { namespace: 'only', id: 'd', content: 'x', expiresAt: ground.clock.date(LIFE) },
      { namespace: 'n', id: 'k', content: 'kept' },
    ])
    ground.clock.advance(LIFE)
    expect(await memory.documents.get('n', 'd')).toBeNull()
    expect(idsOf((await memory.documents.list('n')).items)).toEqual(['k'])
    expect(idsOf(await collect(memory.documents.each('n')))).toEqual(['k'])
    expect((await memory.documents.namespaces()).items).toEqual(['n'])
    expect((await memory.statistics()).documents).toBe(1)
    expect(await found(memory, 'zeppelin')).toEqual([])
    expect(await memory.documents.get('n', 'd', { includeExpired: true })).toEqual(mortal)
    expect(idsOf((await memory.documents.list('n', { includeExpired: true })).items)).toEqual(['d', 'k'])
    expect((await memory.purgeExpired()).documents).toBe(2)
    expect(await memory.documents.get('n', 'd', { includeExpired: true })).toBeNull()
  })

  it('an expired document is replaced like one that was never there', async () => {
    const memory = await ground.open()
    const mortal = { namespace: 'n', id: 'd', content: 'old', metadata: { k: 1 }, expiresAt: ground.clock.date(LIFE) }
    await memory.documents.upsert(mortal)
    ground.clock.advance(LIFE)
    const [again] = await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'new' })
    expect(again).toMatchObject({ content: 'new', metadata: {}, expiresAt: null })
    expect(await memory.documents.get('n', 'd')).toEqual(again)
  })
}

function itHidesSessions(ground: Ground): void {
  it('an expired session is neither active nor there', async () => {
    const memory = await ground.open()
    const kept = await memory.sessions.create({ id: 'k', userId: ADA })
    ground.clock.advance(1)
    const mortal = await memory.sessions.create({ id: 's', userId: ADA, expiresAt: ground.clock.date(LIFE) })
    expect((await memory.sessions.latest(ADA))?.id).toBe('s')
    ground.clock.advance(LIFE)
    expect(await memory.sessions.get('s')).toBeNull()
    expect((await memory.sessions.latest(ADA))?.id).toBe('k')
    expect((await memory.sessions.list()).items).toEqual([kept])
    expect((await memory.sessions.list({ active: true })).items).toEqual([kept])
    expect(await collect(memory.sessions.each())).toEqual([kept])
    expect(await memory.statistics()).toMatchObject({ sessions: 1, activeSessions: 1 })
    expect(await memory.sessions.get('s', { includeExpired: true })).toEqual(mortal)
    expect((await memory.sessions.list({ includeExpired: true })).items).toEqual([mortal, kept])
    expect((await memory.sessions.list({ includeExpired: true, active: true })).items).toEqual([kept])
    expect((await memory.purgeExpired()).sessions).toBe(1)
    expect(await memory.sessions.get('s', { includeExpired: true })).toBeNull()
  })

  it('its id can be used again', async () => {
    const memory = await ground.open()
    await memory.sessions.create({ id: 's', userId: ADA, state: { a: 1 }, expiresAt: ground.clock.date(LIFE) })
    ground.clock.advance(LIFE)
    const again = await memory.sessions.create({ id: 's', userId: ADA })
    expect(again).toMatchObject({ state: {}, version: 1, endedAt: null })
    expect(await memory.sessions.get('s')).toEqual(again)
  })
}

function itHidesConversations(ground: Ground): void {
  it('messages expire with their conversation', async () => {
    const memory = await ground.open()
    await mortalConversation(memory, ground)
    ground.clock.advance(LIFE)
    expect(await memory.conversations.get('c')).toBeNull()
    expect(idsOf((await memory.conversations.list()).items)).toEqual(['kept'])
    expect(idsOf(await collect(memory.conversations.each({ userId: ADA })))).toEqual(['kept'])
    expect((await memory.messages.list('c')).items).toEqual([])
    expect((await memory.messages.list('c', { first: 1 })).items).toEqual([])
    expect(await memory.messages.get('c', 'm')).toBeNull()
    expect(await collect(memory.messages.each('c'))).toEqual([])
    expect(await memory.messages.turnCount('c')).toBe(0)
    expect(await memory.statistics()).toMatchObject({ users: 1, conversations: 1, messages: 1 })
    expect(await memory.statistics({ userId: ADA })).toMatchObject({ conversations: 1, messages: 1 })
    expect(await found(memory, 'zeppelin')).toEqual([])
  })

  it('they are there on request until they are purged', async () => {
    const memory = await ground.open()
    await mortalConversation(memory, ground)
    const session = await memory.sessions.create({ userId: ADA, conversationId: 'c' })
    ground.clock.advance(LIFE)
    const includeExpired = true
    expect((await memory.conversations.get('c', { includeExpired }))?.messageCount).toBe(2)
    expect(idsOf((await memory.conversations.list({ includeExpired })).items).sort()).toEqual(['c', 'kept'])
    expect(contentsOf((await memory.messages.list('c', { includeExpired })).items)).toEqual(['zeppelin', 'b'])
    expect((await memory.messages.get('c', 'm', { includeExpired }))?.content).toBe('zeppelin')
    expect(await collect(memory.messages.each('c', { includeExpired }))).toHaveLength(2)
    if (!ground.lacks('textSearch')) expect(await found(memory, 'zeppelin', true)).toContain('m')
    expect(await memory.purgeExpired()).toMatchObject({ conversations: 1, messages: 2 })
    expect(await memory.conversations.get('c', { includeExpired })).toBeNull()
    expect((await memory.messages.list('c', { includeExpired })).items).toEqual([])
    expect(await found(memory, 'zeppelin', true)).toEqual([])
    expect((await memory.sessions.get(session.id))?.conversationId).toBeNull()
  })
}
