import { expect, it } from 'vitest'
import { missing, refused } from './expecting.js'
import { ADA, contentsOf, idsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeVerbs(harness: Harness): void {
  suite(harness, 'verbs', ['messages', 'memories', 'sessions', 'users'], itDelegates)
}

function itDelegates(ground: Ground): void {
  it('messages: store, retrieve, search, clear', async () => {
    const memory = await ground.open()
    const stored = await memory.storeMessage('c', says('moved to Lisbon'), { userId: ADA })
    expect(stored).toEqual((await memory.messages.list('c')).items[0])
    await memory.storeMessage('c', says('second'))
    expect(contentsOf(await memory.retrieveMessages('c', { last: 1 }))).toEqual(['second'])
    expect(await memory.retrieveMessages('c')).toEqual((await memory.messages.list('c')).items)
    if (!ground.lacks('textSearch')) {
      await memory.memories.add({ userId: ADA, content: 'Lisbon' })
      const hits = await memory.searchMessages({ text: 'Lisbon', userId: ADA })
      expect(hits[0]).toMatchObject({ kind: 'message', record: stored })
      expect(hits.every((hit) => hit.kind === 'message')).toBe(true)
    }
    expect(await memory.clearHistory('c')).toBe(2)
    expect(await memory.retrieveMessages('c')).toEqual([])
    await missing(memory.storeMessage('unknown', says('x')), 'conversation')
    await refused(memory.storeMessage('c', says('')), 'validation', 'messages[0].content')
  })

  it('memories: store, retrieve, delete', async () => {
    const memory = await ground.open()
    const entry = await memory.storeMemory({ id: 'm', userId: ADA, content: 'x' })
    expect(entry).toEqual(await memory.memories.get('m'))
    expect(idsOf(await memory.retrieveMemories({ userId: ADA }))).toEqual(['m'])
    expect((await memory.memories.get('m'))?.accessCount).toBe(1)
    await memory.deleteMemory('m')
    expect(await memory.memories.get('m')).toBeNull()
    await missing(memory.deleteMemory('m'), 'memory')
  })

  it('sessions: create, get, end', async () => {
    const memory = await ground.open()
    const session = await memory.createSession({ id: 's', userId: ADA })
    expect(await memory.getSession('s')).toEqual(session)
    const ended = await memory.endSession('s')
    expect(ended.endedAt).toEqual(ground.clock.date())
    expect(await memory.sessions.get('s')).toEqual(ended)
    expect(await memory.getSession('unknown')).toBeNull()
    await missing(memory.endSession('unknown'), 'session')
  })

  it('statistics are the same by both names', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    expect(await memory.getStatistics()).toEqual(await memory.statistics())
    expect(await memory.getStatistics({ userId: ADA })).toEqual(await memory.statistics({ userId: ADA }))
    expect((await memory.getStatistics()).messages).toBe(1)
  })

  it('they belong to a tenant as all else does', async () => {
    const memory = await ground.open()
    const acme = memory.forTenant('acme')
    await acme.storeMessage('c', says('a'), { userId: ADA })
    await acme.storeMemory({ id: 'm', userId: ADA, content: 'x' })
    expect(await memory.retrieveMessages('c')).toEqual([])
    expect(await memory.retrieveMemories({})).toEqual([])
    await missing(memory.deleteMemory('m'), 'memory')
    expect(await acme.retrieveMemories({})).toHaveLength(1)
  })
}
