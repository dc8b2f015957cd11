import { expect, it } from 'vitest'
import { failure, refused } from './expecting.js'
import { ADA, contentsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeOperationVerbs(harness: Harness): void {
  const needs = ['atomicUnit', 'users', 'conversations', 'messages', 'sessions', 'memories'] as const
  suite(harness, 'operations: single verbs', needs, (ground) => {
    itAnswersAgain(ground)
    itComparesArguments(ground)
    itStandsInsideUnits(ground)
  })
}

const op = { operationId: 'op' }

function itAnswersAgain(ground: Ground): void {
  it('an append said twice is stored once and answered alike', async () => {
    const memory = await ground.open()
    const append = () =>
      memory.messages.append('c', [says('a', { metadata: { k: 1 } }), says('b')], { userId: ADA, ...op })
    const first = await append()
    ground.clock.advance(1000)
    expect(await append()).toEqual(first)
    expect((await memory.messages.list('c')).items).toEqual(first)
  })

  it('every verb that writes can be said twice', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' }), says('b', { id: 'b' })])
    const documents = !ground.lacks('documents')
    if (documents) await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'x' })
    let made = 0
    const twice = async (call: (options: { operationId: string }) => Promise<unknown>) => {
      const options = { operationId: `op${++made}` }
      const first = await call(options)
      ground.clock.advance(10)
      const second = await call(options)
      expect(second, call.toString()).toEqual(first)
    }
    await twice((o) => memory.users.create({ id: 'bob', lastActiveAt: new Date(7) }, o))
    await twice((o) => memory.users.update('bob', { name: 'B' }, o))
    await twice((o) => memory.conversations.create({ userId: 'bob', title: 't' }, o))
    await twice((o) => memory.conversations.update('c', { tags: ['x'] }, o))
    await twice((o) => memory.messages.upsert('c', says('c', { id: 'c' }), o))
    await twice((o) => memory.messages.update('c', 'c', { content: 'd' }, o))
    await twice((o) => memory.messages.branch('c', 'b', o))
    await twice((o) => memory.messages.delete('c', 'a', o))
    await twice((o) => memory.messages.clear('c', o))
    await twice((o) => memory.sessions.create({ id: 's', userId: 'bob' }, o))
    await twice((o) => memory.sessions.update('s', { state: { a: 1 } }, o))
    await twice((o) => memory.sessions.end('s', o))
    await twice((o) => memory.sessions.delete('s', o))
    await twice((o) => memory.memories.add({ id: 'm', userId: 'bob', content: 'x' }, o))
    await twice((o) => memory.memories.addMany([{ userId: 'bob', content: 'y' }], o))
    await twice((o) => memory.memories.update('m', { importance: 0.25 }, o))
    await twice((o) => memory.memories.delete('m', o))
    if (documents) {
      await twice((o) => memory.documents.upsert({ namespace: 'n', id: 'd', content: 'y' }, o))
      await twice((o) => memory.documents.delete('n', 'd', o))
    }
    await twice((o) => memory.conversations.delete('c', o))
    await twice((o) => memory.users.delete('bob', o))
    // The branch with its two messages is what stays.
    expect(await memory.statistics()).toMatchObject({
      users: 1,
      conversations: 1,
      messages: 2,
      memories: 0,
      documents: 0,
    })
  })

  it('records too large for the stored result are answered all the same', async () => {
    const memory = await ground.open()
    const large = 'lorem ipsum '.repeat(10_000)
    const append = () => memory.messages.append('c', [says(large, { id: 'm' }), says('b')], { userId: ADA, ...op })
    const first = await append()
    expect(await append()).toEqual(first)
    const add = () => memory.memories.add({ userId: ADA, content: large }, { operationId: 'op2' })
    const entry = await add()
    expect(await add()).toEqual(entry)
    expect(await memory.statistics()).toMatchObject({ messages: 2, memories: 1 })
  })

  it('concurrent duplicates are stored once', async () => {
    const memory = await ground.open()
    const append = () => memory.messages.append('c', says('once'), { userId: ADA, ...op })
    const answers = await Promise.all(Array.from({ length: 20 }, append))
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect((await memory.messages.list('c')).items).toEqual(answers[0])
  })

  it('a refused verb leaves the id free', async () => {
    const memory = await ground.open()
    await refused(memory.memories.update('m', { content: 'x' }, op), 'not-found')
    await refused(memory.memories.add({ userId: ADA, content: '' }, op), 'validation')
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' }, op)
    expect((await memory.memories.get('m'))?.content).toBe('x')
  })
}

function itComparesArguments(ground: Ground): void {
  it('the same id with other arguments or another verb is a conflict and changes nothing', async () => {
    const memory = await ground.open()
    const stored = await memory.messages.append('c', says('a', { metadata: { k: [1, 2] } }), { userId: ADA, ...op })
    const append = (conversationId: string, message: ReturnType<typeof says>) =>
      memory.messages.append(conversationId, message, { userId: ADA, ...op })
    await refused(append('c', says('b', { metadata: { k: [1, 2] } })), 'conflict')
    await refused(append('c', says('a', { metadata: { k: [2, 1] } })), 'conflict')
    await refused(append('c', says('a')), 'conflict')
    await refused(append('c2', says('a', { metadata: { k: [1, 2] } })), 'conflict')
    await refused(append('c', says('a', { metadata: { k: [1, 2] }, createdAt: new Date(5) })), 'conflict')
    await refused(memory.users.create({ id: 'eve' }, op), 'conflict')
    expect((await memory.messages.list('c')).items).toEqual(stored)
    expect(await memory.users.get('eve')).toBeNull()
    expect(await memory.conversations.get('c2')).toBeNull()
  })

  it('arguments are the same whatever the order of their keys, and undefined is as absent', async () => {
    const memory = await ground.open()
    const first = await memory.memories.add({ userId: ADA, content: 'x', metadata: { a: 1, b: { c: 2, d: 3 } } }, op)
    const second = await memory.memories.add(
      { metadata: { b: { d: 3, c: 2 }, a: 1 }, content: 'x', userId: ADA, source: undefined },
      op,
    )
    expect(second).toEqual(first)
    expect((await memory.memories.list()).items).toEqual([first])
  })
}

function itStandsInsideUnits(ground: Ground): void {
  it("an operation inside a unit is the unit's: undone with it, kept with it", async () => {
    const memory = await ground.open()
    const error = await failure(
      memory.unitOfWork(async (unit) => {
        await unit.messages.append('c', says('a'), { userId: ADA, ...op })
        throw new Error('undo')
      }),
    )
    expect(error).toHaveProperty('message', 'undo')
    const first = await memory.unitOfWork((unit) => unit.messages.append('c', says('a'), { userId: ADA, ...op }))
    const second = await memory.unitOfWork((unit) => unit.messages.append('c', says('a'), { userId: ADA, ...op }))
    expect(second).toEqual(first)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['a'])
  })

  ground.shared('another instance answers a verb that the first one ran', async () => {
    const memory = await ground.open()
    const first = await memory.messages.append('c', says('a'), { userId: ADA, ...op })
    const second = await ground.reopen(memory)
    expect(await second.messages.append('c', says('a'), { userId: ADA, ...op })).toEqual(first)
    expect((await second.messages.list('c')).items).toEqual(first)
  })
}
