import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { NewSession } from '../../src/model/inputs.js'
import { missing, refused } from './expecting.js'
import { ADA, byBytes, collect, idsOf, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'
import { itPages } from './listing.js'

export function describeSessions(harness: Harness): void {
  suite(harness, 'sessions', ['sessions', 'users'], (ground) => {
    itCreates(ground)
    itUpdates(ground)
    itEnds(ground)
  })
  suite(harness, 'sessions: list', ['sessions'], (ground) => {
    itFindsTheLatest(ground)
    itLists(ground)
  })
}

const FULL = {
  id: 's',
  userId: ADA,
  conversationId: 'c',
  state: { step: 1, cart: { items: [1] } },
  metadata: { device: 'phone' },
  startedAt: new Date('2030-01-01T00:00:00.001Z'),
  expiresAt: new Date('2050-01-01T00:00:00.001Z'),
  createdAt: new Date('2030-01-01T00:00:00.002Z'),
  updatedAt: new Date('2030-01-01T00:00:00.003Z'),
} satisfies NewSession

async function openWithConversation(ground: Ground): Promise<Memory> {
  const memory = await ground.open()
  if (!ground.lacks('conversations')) await memory.conversations.create({ id: 'c', userId: ADA })
  return memory
}

function itCreates(ground: Ground): void {
  it('stores every field and answers it, and get answers the same', async () => {
    const memory = await openWithConversation(ground)
    const session = await memory.sessions.create(FULL)
    const { lastActivityAt, ...rest } = session
    expect(rest).toEqual({ ...FULL, tenantId: 'default', endedAt: null, version: 1 })
    expect(lastActivityAt).toBeInstanceOf(Date)
    expect(await memory.sessions.get('s')).toEqual(session)
  })

  it('fills in what is not given and makes the user', async () => {
    const memory = await ground.open()
    const session = await memory.sessions.create({ userId: ADA })
    const now = ground.clock.date()
    expect(session).toEqual({
      id: session.id,
      userId: ADA,
      conversationId: null,
      tenantId: 'default',
      state: {},
      metadata: {},
      startedAt: now,
      lastActivityAt: now,
      endedAt: null,
      expiresAt: null,
      createdAt: now,
      updatedAt: now,
      version: 1,
    })
    expect(await memory.users.get(ADA)).not.toBeNull()
  })

  it('an id that exists is a conflict; an unknown one is null', async () => {
    const memory = await ground.open()
    const session = await memory.sessions.create({ id: 's', userId: ADA })
    await refused(memory.sessions.create({ id: 's', userId: 'bob' }), 'conflict')
    expect(await memory.sessions.get('s')).toEqual(session)
    expect(await memory.sessions.get('unknown')).toBeNull()
  })
}

function itUpdates(ground: Ground): void {
  it('merges state and metadata one level deep, moves lastActivityAt and raises the version', async () => {
    const memory = await openWithConversation(ground)
    const before = await memory.sessions.create(FULL)
    ground.clock.advance(1)
    const after = await memory.sessions.update('s', {
      state: { cart: { total: 2 }, extra: null },
      conversationId: null,
    })
    expect(after).toEqual({
      ...before,
      conversationId: null,
      state: { step: 1, cart: { total: 2 }, extra: null },
      lastActivityAt: ground.clock.date(),
      updatedAt: ground.clock.date(),
      version: 2,
    })
    expect(await memory.sessions.get('s')).toEqual(after)
  })

  it('touch moves lastActivityAt and leaves the version', async () => {
    const memory = await ground.open()
    const before = await memory.sessions.create({ id: 's', userId: ADA, state: { a: 1 } })
    ground.clock.advance(5)
    const after = await memory.sessions.touch('s')
    expect({ ...after, updatedAt: before.updatedAt }).toEqual({ ...before, lastActivityAt: ground.clock.date() })
    expect(await memory.sessions.get('s')).toEqual(after)
    expect((await memory.sessions.update('s', { state: { b: 1 } }, { version: 1 })).version).toBe(2)
  })

  it('state is guarded by the version', async () => {
    const memory = await ground.open()
    await memory.sessions.create({ id: 's', userId: ADA })
    await memory.sessions.update('s', { state: { winner: 1 } }, { version: 1 })
    await refused(memory.sessions.update('s', { state: { winner: 2 } }, { version: 1 }), 'conflict')
    expect((await memory.sessions.get('s'))?.state).toEqual({ winner: 1 })
  })

  ground.shared('another instance sees a change at once', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    await memory.sessions.create({ id: 's', userId: ADA })
    for (let step = 1; step <= 10; step++) {
      const [writer, reader] = step % 2 === 0 ? [memory, second] : [second, memory]
      expect((await reader.sessions.get('s'))?.version).toBe(step)
      const written = await writer.sessions.update('s', { state: { step } })
      expect(await reader.sessions.get('s')).toEqual(written)
    }
    await second.sessions.end('s')
    expect(await memory.sessions.latest(ADA)).toBeNull()
  })

  it('every verb on an unknown session is missing', async () => {
    const memory = await ground.open()
    await missing(memory.sessions.update('nobody', { state: {} }), 'session')
    await missing(memory.sessions.touch('nobody'), 'session')
    await missing(memory.sessions.end('nobody'), 'session')
    await missing(memory.sessions.delete('nobody'), 'session')
    expect((await memory.sessions.list()).items).toEqual([])
  })
}

function itEnds(ground: Ground): void {
  it('ends once: the second end changes nothing', async () => {
    const memory = await ground.open()
    await memory.sessions.create({ id: 's', userId: ADA })
    ground.clock.advance(10)
    const ended = await memory.sessions.end('s')
    expect(ended.endedAt).toEqual(ground.clock.date())
    ground.clock.advance(10)
    expect(await memory.sessions.end('s')).toEqual(ended)
    expect(await memory.sessions.get('s')).toEqual(ended)
  })

  it('its conversation can be continued, and it stays as it ended', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    await memory.sessions.create({ id: 's', userId: ADA, conversationId: 'c' })
    const ended = await memory.sessions.end('s')
    ground.clock.advance(10)
    await talk(memory, 'c', ['b'])
    expect(await memory.sessions.get('s')).toEqual(ended)
    expect((await memory.messages.list('c')).items).toHaveLength(2)
  })

  it('a deleted session is gone', async () => {
    const memory = await ground.open()
    await memory.sessions.create({ id: 's', userId: ADA })
    await memory.sessions.delete('s')
    expect(await memory.sessions.get('s')).toBeNull()
    expect(await memory.sessions.latest(ADA)).toBeNull()
  })
}

const start = (memory: Memory, id: string, at: number, userId = ADA) =>
  memory.sessions.create({ id, userId, startedAt: new Date(at) })

function itFindsTheLatest(ground: Ground): void {
  it('the latest session of a user is the last begun that is active', async () => {
    const memory = await ground.open()
    expect(await memory.sessions.latest(ADA)).toBeNull()
    for (const [id, at] of [
      ['b', 20],
      ['a', 20],
      ['c', 10],
    ] as const)
      await start(memory, id, at)
    await start(memory, 'bob', 99, 'bob')
    expect((await memory.sessions.latest(ADA))?.id).toBe('b')
    await memory.sessions.touch('c')
    expect((await memory.sessions.latest(ADA))?.id).toBe('b')
    await memory.sessions.end('b')
    expect((await memory.sessions.latest(ADA))?.id).toBe('a')
    await memory.sessions.end('a')
    await memory.sessions.end('c')
    expect(await memory.sessions.latest(ADA)).toBeNull()
  })
}

function itLists(ground: Ground): void {
  it('narrows by user and by activity', async () => {
    const memory = await ground.open()
    for (let i = 0; i < 8; i++) await start(memory, `s${i}`, i, i % 2 === 0 ? ADA : 'bob')
    await memory.sessions.end('s2')
    await memory.sessions.end('s7')
    const list = async (options: object) => idsOf((await memory.sessions.list(options)).items)
    expect(await list({ userId: ADA })).toEqual(['s6', 's4', 's2', 's0'])
    expect(await list({ userId: ADA, active: true })).toEqual(['s6', 's4', 's0'])
    expect(await list({ active: true, limit: 2 })).toEqual(['s6', 's5'])
    expect(await list({ userId: ADA, active: false })).toEqual(['s6', 's4', 's2', 's0'])
    expect(idsOf(await collect(memory.sessions.each({ userId: 'bob', active: true })))).toEqual(['s5', 's3', 's1'])
  })

  itPages(ground, {
    async fill(memory, count) {
      const made = Array.from({ length: count }, (_, i) => ({ id: `s${i}`, at: 1000 + Math.floor(i / 2.5) }))
      await Promise.all(made.map(({ id, at }) => start(memory, id, at)))
      return made.sort((a, b) => b.at - a.at || byBytes(b.id, a.id)).map(({ id }) => id)
    },
    addFirst: async (memory) => (await start(memory, 'first', 100_000)).id,
    remove: (memory, id) => memory.sessions.delete(id),
    list: (memory, options) => memory.sessions.list(options),
    each: (memory) => memory.sessions.each(),
    key: (session) => session.id,
  })
}
