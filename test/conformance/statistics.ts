import { expect, it } from 'vitest'
import type { Statistics } from '../../src/contract/statistics.js'
import { refused } from './expecting.js'
import { ADA, instructs, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

const NEEDS = ['users', 'conversations', 'messages', 'sessions', 'memories'] as const

export function describeStatistics(harness: Harness): void {
  suite(harness, 'statistics', NEEDS, itCounts)
}

const NOTHING: Statistics = {
  users: 0,
  conversations: 0,
  messages: 0,
  sessions: 0,
  activeSessions: 0,
  memories: 0,
  memoriesByType: {},
  documents: 0,
}

function itCounts(ground: Ground): void {
  it('counts nothing where nothing is', async () => {
    const memory = await ground.open()
    expect(await memory.statistics()).toEqual(NOTHING)
    expect(await memory.statistics({ userId: 'nobody' })).toEqual({ ...NOTHING, documents: null })
  })

  it('counts exactly, per tenant and per user, through every change', async () => {
    const memory = await ground.open()
    await talk(memory, 'c1', [instructs('s'), 'a', says('b', { id: 'b' })])
    await talk(memory, 'c2', ['a'])
    await talk(memory, 'c3', ['a'], 'bob')
    await memory.conversations.create({ userId: 'eve' })
    await memory.sessions.create({ id: 's1', userId: ADA })
    await memory.sessions.create({ id: 's2', userId: ADA })
    await memory.sessions.create({ userId: 'bob' })
    await memory.sessions.end('s2')
    await memory.memories.add({ id: 'm1', userId: ADA, type: 'fact', content: 'x' })
    await memory.memories.add({ userId: ADA, type: 'fact', content: 'x' })
    await memory.memories.add({ userId: ADA, content: 'x' })
    await memory.memories.add({ userId: 'bob', type: 'procedural', content: 'x' })
    const kept = ground.lacks('documents') ? [] : ['a', 'b']
    if (kept.length > 0) await memory.documents.upsert(kept.map((id) => ({ namespace: id, id, content: 'x' })))
    expect(await memory.statistics()).toEqual({
      users: 3,
      conversations: 4,
      messages: 5,
      sessions: 3,
      activeSessions: 2,
      memories: 4,
      memoriesByType: { fact: 2, long_term: 1, procedural: 1 },
      documents: kept.length,
    })
    const ada: Statistics = {
      users: 1,
      conversations: 2,
      messages: 4,
      sessions: 2,
      activeSessions: 1,
      memories: 3,
      memoriesByType: { fact: 2, long_term: 1 },
      documents: null,
    }
    expect(await memory.statistics({ userId: ADA })).toEqual(ada)
    await memory.messages.delete('c1', 'b')
    await memory.messages.clear('c2')
    await memory.memories.delete('m1')
    await memory.sessions.delete('s1')
    expect(await memory.statistics({ userId: ADA })).toEqual({
      ...ada,
      messages: 2,
      sessions: 1,
      activeSessions: 0,
      memories: 2,
      memoriesByType: { fact: 1, long_term: 1 },
    })
    expect(await memory.statistics({ userId: 'eve' })).toMatchObject({ users: 1, conversations: 1, messages: 0 })
  })

  it('counts its own tenant alone', async () => {
    const memory = await ground.open()
    await talk(memory.forTenant('a'), 'c', ['a', 'b'])
    expect(await memory.forTenant('A').statistics()).toEqual(NOTHING)
    expect(await memory.statistics()).toEqual(NOTHING)
    expect(await memory.forTenant('a').statistics({ userId: ADA })).toMatchObject({ messages: 2 })
  })

  it('refuses an option that it does not know and a user who is none', async () => {
    const memory = await ground.open()
    await refused(memory.statistics({ userId: '' }), 'validation', 'userId')
    await refused(memory.statistics({ user: ADA } as object), 'validation', 'user')
    expect(await memory.statistics({})).toEqual(NOTHING)
  })
}
