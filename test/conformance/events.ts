import { expect, it } from 'vitest'
import { EVENT_TYPES, type EventType } from '../../src/contract/events.js'
import type { TenantMemory } from '../../src/contract/memory.js'
import { eventually } from '../support/eventually.js'
import { gate } from '../support/gate.js'
import { create, Heard, listening, settled, silence } from './events-fixtures.js'
import { failure, refused } from './expecting.js'
import { ADA, says, talk } from './fixtures.js'
import { type Feature, type Ground, type Harness, suite } from './harness.js'

const RECORDS: readonly Feature[] = ['users', 'conversations', 'messages', 'sessions', 'memories']

/** What writes tell whoever listens. */
export function describeEvents(harness: Harness): void {
  suite(harness, 'events: listening', ['events', ...RECORDS], (ground) => {
    itTellsEveryWrite(ground)
    itKeepsToItsTenant(ground)
    itStops(ground)
    itRefuses(ground)
  })
  suite(harness, 'events: units', ['events', 'atomicUnit', ...RECORDS], itTellsUnits)
}

const SECRET = 'nobody may read this in an event'

/** One write for every type of event, in an order that each can stand on, and the key that it tells. */
const WRITES: readonly (readonly [type: EventType, key: string, write: (t: TenantMemory) => Promise<unknown>])[] = [
  ['user.created', 'u', (t) => t.users.create({ id: 'u', name: SECRET })],
  ['user.updated', 'u', (t) => t.users.update('u', { metadata: { SECRET } })],
  ['conversation.created', 'c', (t) => t.conversations.create({ id: 'c', userId: 'u', title: SECRET })],
  ['conversation.updated', 'c', (t) => t.conversations.update('c', { summary: SECRET })],
  ['message.appended', 'c m', (t) => t.messages.append('c', says(SECRET, { id: 'm' }))],
  ['message.updated', 'c m', (t) => t.messages.update('c', 'm', { content: `${SECRET}!` })],
  ['message.deleted', 'c m', (t) => t.messages.delete('c', 'm')],
  ['message.appended', 'c n', (t) => t.messages.append('c', says(SECRET, { id: 'n' }))],
  ['messages.cleared', 'c', (t) => t.messages.clear('c')],
  ['session.created', 's', (t) => t.sessions.create({ id: 's', userId: 'u', state: { SECRET } })],
  ['session.updated', 's', (t) => t.sessions.update('s', { state: { SECRET: 1 } })],
  ['session.ended', 's', (t) => t.sessions.end('s')],
  ['session.deleted', 's', (t) => t.sessions.delete('s')],
  ['memory.added', 'e', (t) => t.memories.add({ id: 'e', userId: 'u', content: SECRET })],
  ['memory.updated', 'e', (t) => t.memories.update('e', { content: `${SECRET}!` })],
  ['memory.deleted', 'e', (t) => t.memories.delete('e')],
  ['conversation.deleted', 'c', (t) => t.conversations.delete('c')],
  ['user.deleted', 'u', (t) => t.users.delete('u')],
]

function itTellsEveryWrite(ground: Ground): void {
  it('every kind of write is heard once, in the order of the writes, with its key', async () => {
    expect(new Set(WRITES.map(([type]) => type))).toEqual(new Set(EVENT_TYPES))
    const memory = await ground.open()
    const heard = await listening(memory)
    for (const [, , write] of WRITES) await write(memory)
    await settled(ground, memory, heard)
    const told = heard.events.map(({ type, key }) => `${type} ${key.join(' ')}`)
    const wanted = WRITES.map(([type, key]) => `${type} ${key}`)
    // What goes along with a deleted record may be told too.
    expect(told.filter((each) => wanted.includes(each))).toEqual(wanted)
    expect(new Set(heard.events.map(({ id }) => id)).size).toBe(heard.events.length)
  })

  it('an event says what, where and when, and nothing of the content', async () => {
    const memory = (await ground.open()).forTenant('acme')
    const heard = await listening(memory)
    for (const [, , write] of WRITES) await write(memory)
    await settled(ground, memory, heard)
    expect(heard.events.length).toBeGreaterThanOrEqual(WRITES.length)
    for (const event of heard.events) {
      expect(Object.keys(event).sort()).toEqual(['at', 'count', 'id', 'key', 'tenantId', 'type'])
      expect(event).toMatchObject({ tenantId: 'acme', count: 1 })
      expect(event.at).toBeInstanceOf(Date)
      expect(event.at.getTime()).not.toBeNaN()
      expect(JSON.stringify(event)).not.toContain('nobody may read')
    }
  })

  it('messages that were appended together are one event, with their count and the key of the last', async () => {
    const memory = await ground.open()
    const heard = await listening(memory, 'message.appended')
    const all = await listening(memory)
    await talk(memory, 'c', [says('a', { id: 'a' }), says('b', { id: 'b' }), says('c', { id: 'c' })])
    await talk(memory, 'c', [says('d', { id: 'd' })])
    await memory.memories.addMany(['x', 'y'].map((id) => ({ id, userId: ADA, content: id })))
    await settled(ground, memory, all)
    await eventually(ground.clock, () => heard.events.length >= 2)
    expect(heard.events.map(({ key, count }) => [...key, count])).toEqual([
      ['c', 'c', 3],
      ['c', 'd', 1],
    ])
    expect(all.keys('memory.added')).toEqual(['x', 'y'])
  })

  it('a write that is refused is not heard', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'a' })])
    const heard = await listening(memory)
    await refused(talk(memory, 'c', [says('b', { id: 'a' })]), 'conflict')
    await refused(talk(memory, 'c', [says('b'), says('', { id: 'x' })]), 'validation')
    await refused(memory.users.update('nobody', { name: 'x' }), 'not-found')
    await refused(memory.users.update(ADA, { name: 'x' }, { version: 7 }), 'conflict')
    await settled(ground, memory, heard)
    expect(heard.events).toEqual([])
  })

  it('a listener of one type hears nothing of another; two of one type hear the same', async () => {
    const memory = await ground.open()
    const all = await listening(memory)
    const [one, two] = [await listening(memory, 'session.ended'), await listening(memory, 'session.ended')]
    for (const id of ['a', 'b']) {
      await memory.sessions.create({ id, userId: ADA })
      await memory.sessions.end(id)
    }
    await settled(ground, memory, all)
    await eventually(ground.clock, () => one.events.length >= 2 && two.events.length >= 2)
    for (const heard of [one, two])
      expect(heard.events.map(({ type, key }) => [type, ...key])).toEqual([
        ['session.ended', 'a'],
        ['session.ended', 'b'],
      ])
  })
}

function itKeepsToItsTenant(ground: Ground): void {
  it('a tenant hears its own writes and nobody else’s, however much their names are alike', async () => {
    const memory = await ground.open()
    const names = ['a', 'A', 'a:', ':a', 'a%', 'a*', '*', '[a]', 'a ', 'default', '{a}', '{', 'a}b']
    const heard = await Promise.all(names.map((name) => listening(memory.forTenant(name))))
    for (const name of names) await create(memory.forTenant(name), [`of ${name}`])
    for (const [i, name] of names.entries()) await settled(ground, memory.forTenant(name), heard[i] as Heard)
    for (const [i, name] of names.entries()) {
      expect(heard[i]?.keys('user.created'), name).toEqual([`of ${name}`])
      expect(heard[i]?.events.map(({ tenantId }) => tenantId)).toEqual([name])
    }
  })

  ground.shared('another instance hears what this one writes', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    const [here, there] = [await listening(memory), await listening(second)]
    await create(memory, ['one'])
    await create(second, ['two'])
    await settled(ground, memory, here, there)
    for (const heard of [here, there]) expect(heard.keys('user.created')).toEqual(['one', 'two'])
  })
}

function itStops(ground: Ground): void {
  it('a listener that was closed hears nothing more, the others go on', async () => {
    const memory = await ground.open()
    const [closed, open] = [new Heard(), await listening(memory)]
    const subscription = memory.events.on('*', closed.take)
    await subscription.ready
    await settled(ground, memory, closed, open)
    await subscription.close()
    await subscription.close()
    await create(memory, ['late'])
    await settled(ground, memory, open)
    await silence()
    expect([closed.events, open.keys('user.created')]).toEqual([[], ['late']])
    {
      await using scoped = memory.events.on('*', closed.take)
      await scoped.ready
    }
    await create(memory, ['later'])
    await settled(ground, memory, open)
    await silence()
    expect(closed.events).toEqual([])
  })

  ground.shared('listening ends with its memory', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    const [mine, open] = [await listening(second), await listening(memory)]
    await settled(ground, memory, mine, open)
    await second.close()
    await create(memory, ['late'])
    await settled(ground, memory, open)
    await silence()
    expect([mine.events, open.keys('user.created')]).toEqual([[], ['late']])
    await refused(second.events.on('*', () => {}).ready, 'closed')
  })
}

function itRefuses(ground: Ground): void {
  it('refuses what is no type, no listener, no name and no option, by their names', async () => {
    const { events } = await ground.open()
    const listen = () => {}
    const bad: readonly (readonly [call: () => unknown, field: string])[] = [
      [() => events.on('user.create' as EventType, listen), 'type'],
      [() => events.on('toString' as EventType, listen), 'type'],
      [() => events.on('*', 'listen' as never), 'listener'],
      [() => events.consume('', listen), 'name'],
      [() => events.consume('x'.repeat(256), listen), 'name'],
      [() => events.consume('name', undefined as never), 'listener'],
      [() => events.consume('name', listen, { from: 'middle' as 'now' }), 'from'],
      [() => events.consume('name', listen, { retryAfter: 0 }), 'retryAfter'],
      [() => events.consume('name', listen, { retryAfter: 1.5 }), 'retryAfter'],
      [() => events.consume('name', listen, { types: ['user.created', 'x' as EventType] }), 'types[1]'],
      [() => events.consume('name', listen, { retry: 5 } as object), 'retry'],
    ]
    for (const [call, field] of bad) await refused(call, 'validation', field)
    expect(bad).toHaveLength(11)
  })
}

function itTellsUnits(ground: Ground): void {
  it('a unit is heard whole after its commit, and not before', async () => {
    const memory = await ground.open()
    const heard = await listening(memory)
    const [written, finish] = [gate(), gate()]
    const done = memory.unitOfWork(async (unit) => {
      await talk(unit, 'c', [says('a', { id: 'a' })])
      await unit.unitOfWork((inner) => inner.memories.add({ id: 'e', userId: ADA, content: 'x' }))
      await unit.sessions.create({ id: 's', userId: ADA })
      written.open()
      await finish.opened
    })
    await written.opened
    await silence()
    expect(heard.events).toEqual([])
    finish.open()
    await done
    await settled(ground, memory, heard)
    const told = (['message.appended', 'memory.added', 'session.created'] as const).map((type) => heard.keys(type))
    expect(told).toEqual([['c a'], ['e'], ['s']])
  })

  it('nothing is heard of a unit that was rolled back, nor of an inner one', async () => {
    const memory = await ground.open()
    const heard = await listening(memory)
    await failure(
      memory.unitOfWork(async (unit) => {
        await create(unit, ['undone'])
        throw new Error('undo')
      }),
    )
    await memory.unitOfWork(async (unit) => {
      await create(unit, ['before'])
      await failure(
        unit.unitOfWork(async (inner) => {
          await create(inner, ['inner'])
          throw new Error('undo')
        }),
      )
      await create(unit, ['after'])
    })
    await settled(ground, memory, heard)
    expect(heard.keys('user.created')).toEqual(['before', 'after'])
  })
}
