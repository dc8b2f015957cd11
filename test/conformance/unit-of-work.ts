import { expect, it } from 'vitest'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import { Rescinded } from '../support/rescinded.js'
import { failure, refused } from './expecting.js'
import { ADA, contentsOf, says, talk } from './fixtures.js'
import { type Feature, type Ground, type Harness, suite } from './harness.js'

const NEEDS: readonly Feature[] = ['atomicUnit', 'users', 'conversations', 'messages', 'sessions', 'memories']

export function describeUnitOfWork(harness: Harness): void {
  suite(harness, 'unit of work: all or nothing', NEEDS, (ground) => {
    itCommits(ground)
    itRollsBack(ground)
    itGoesOnAfterARefusal(ground)
  })
}

/** Everything that a tenant holds, for comparison. */
async function holdings(memory: TenantMemory): Promise<unknown> {
  return {
    statistics: await memory.statistics(),
    users: await memory.users.list(),
    conversations: await memory.conversations.list(),
    messages: await memory.messages.list('c'),
    memories: await memory.memories.list(),
    sessions: await memory.sessions.list(),
  }
}

async function seed(memory: Memory): Promise<void> {
  await talk(memory, 'c', [says('seed', { id: 'seed' })])
  await memory.sessions.create({ id: 's', userId: ADA, conversationId: 'c' })
  await memory.memories.add({ id: 'm', userId: ADA, content: 'seed', tags: ['t'] })
}

function itCommits(ground: Ground): void {
  it('everything of a unit is there after it, and its result is answered', async () => {
    const memory = await ground.open()
    const result = await memory.unitOfWork(async (unit) => {
      expect(unit.tenantId).toBe('default')
      const conversation = await unit.conversations.create({ userId: ADA })
      const [message] = await unit.messages.append(conversation.id, says('hello'))
      const entry = await unit.memories.add({ userId: ADA, content: 'greets' })
      const session = await unit.sessions.create({ userId: ADA, conversationId: conversation.id })
      return { conversation, message, entry, session }
    })
    const { conversation, message, entry, session } = result
    expect(await memory.messages.list(conversation.id)).toMatchObject({ items: [message] })
    expect(await memory.memories.get(entry.id)).toEqual(entry)
    expect(await memory.sessions.get(session.id)).toEqual(session)
    expect(await memory.conversations.get(conversation.id)).toMatchObject({ messageCount: 1 })
  })

  it('a unit reads what it wrote', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (unit) => {
      await talk(unit, 'c', ['a', 'b'])
      expect(contentsOf((await unit.messages.list('c')).items)).toEqual(['a', 'b'])
      expect((await unit.conversations.get('c'))?.messageCount).toBe(2)
      expect((await unit.statistics()).messages).toBe(2)
      const seen: string[] = []
      for await (const message of unit.messages.each('c')) seen.push(message.content)
      expect(seen).toEqual(['a', 'b'])
    })
  })

  it('an empty unit and one that only reads are units too', async () => {
    const memory = await ground.open()
    expect(await memory.unitOfWork(async () => 42)).toBe(42)
    expect(await memory.unitOfWork(async (unit) => unit.users.get('nobody'))).toBeNull()
    expect((await memory.statistics()).users).toBe(0)
  })

  it('calls made side by side inside a unit all take part, in the order they were made', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (unit) => {
      await talk(unit, 'c', ['first'])
      await Promise.all(Array.from({ length: 30 }, (_, i) => unit.messages.append('c', says(`p${i}`))))
      await Promise.all([
        unit.memories.add({ userId: 'bob', content: 'x' }),
        unit.users.get(ADA),
        unit.messages.list('c'),
      ])
    })
    const { items } = await memory.messages.list('c')
    expect(contentsOf(items)).toEqual(['first', ...Array.from({ length: 30 }, (_, i) => `p${i}`)])
    expect(await memory.users.get('bob')).not.toBeNull()
  })
}

function itRollsBack(ground: Ground): void {
  it('a callback that throws leaves nothing, and its own error comes out', async () => {
    const memory = await ground.open()
    await seed(memory)
    const before = await holdings(memory)
    const thrown = new Rescinded('changed my mind')
    const error = await failure(
      memory.unitOfWork(async (unit) => {
        await talk(unit, 'c', ['gone'])
        await talk(unit, 'c2', ['gone'], 'bob')
        await unit.messages.update('c', 'seed', { content: 'gone' })
        await unit.memories.update('m', { content: 'gone' })
        await unit.memories.add({ userId: 'eve', content: 'gone' })
        await unit.sessions.end('s')
        await unit.users.update(ADA, { name: 'gone' })
        throw thrown
      }),
    )
    expect(error).toBe(thrown)
    expect(await holdings(memory)).toEqual(before)
  })

  it('deletions are undone too', async () => {
    const memory = await ground.open()
    await seed(memory)
    const before = await holdings(memory)
    await failure(
      memory.unitOfWork(async (unit) => {
        await unit.messages.clear('c')
        await unit.conversations.delete('c')
        await unit.users.delete(ADA)
        expect((await unit.statistics()).users).toBe(0)
        throw new Rescinded()
      }),
    )
    expect(await holdings(memory)).toEqual(before)
  })

  it('what is thrown comes out as it is, be it an error or not', async () => {
    const memory = await ground.open()
    for (const thrown of ['a string', 0, { code: 'mine' }, new TypeError('t')]) {
      const caught = await memory.unitOfWork(() => Promise.reject(thrown)).catch((e: unknown) => e)
      expect(caught).toBe(thrown)
    }
    await refused(
      memory.unitOfWork((unit) => unit.users.update('nobody', {})),
      'not-found',
    )
    await refused(
      memory.unitOfWork((unit) => unit.users.create({ id: '' })),
      'validation',
      'id',
    )
    const thrownAtOnce = memory.unitOfWork(() => {
      throw new Rescinded('not even a promise')
    })
    expect(await failure(thrownAtOnce)).toBeInstanceOf(Rescinded)
    await memory.users.create({ id: 'still works' })
    expect((await memory.statistics()).users).toBe(1)
  })
}

function itGoesOnAfterARefusal(ground: Ground): void {
  it('a verb that fails and is caught leaves nothing of itself, and the unit goes on', async () => {
    const memory = await ground.open()
    await seed(memory)
    await memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', says('before'))
      await refused(unit.messages.append('c', [says('no'), says('no', { id: 'seed' })]), 'conflict')
      await refused(unit.messages.append('c', [says('no'), says('no', { parentId: 'nobody' })]), 'validation')
      await refused(
        unit.memories.addMany([
          { userId: 'eve', content: 'no' },
          { id: 'm', userId: ADA, content: 'no' },
        ]),
        'conflict',
      )
      await refused(unit.messages.append('unknown', says('no')), 'not-found')
      await refused(unit.memories.update('m', { content: 'no' }, { version: 9 }), 'conflict')
      await unit.messages.append('c', says('after'))
    })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['seed', 'before', 'after'])
    expect((await memory.conversations.get('c'))?.messageCount).toBe(3)
    expect(await memory.users.get('eve')).toBeNull()
    expect(contentsOf((await memory.memories.list()).items)).toEqual(['seed'])
  })
}
