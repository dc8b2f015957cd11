import { expect, it } from 'vitest'
import type { NewUser } from '../../src/model/inputs.js'
import { missing, refused } from './expecting.js'
import { ADA, byBytes, idsOf, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'
import { itPages } from './listing.js'

export function describeUsers(harness: Harness): void {
  suite(harness, 'users', ['users'], (ground) => {
    itCreates(ground)
    itUpdates(ground)
  })
  suite(harness, 'users: delete', ['users', 'conversations', 'messages', 'sessions', 'memories'], itDeletes)
  suite(harness, 'users: list', ['users'], itLists)
}

const FULL = {
  id: 'u',
  name: ' Ada  Lovelace ',
  preferences: { theme: 'dark', nested: { a: [1, 2, { b: null }] } },
  profile: { born: 1815 },
  metadata: { 'a.b': true, empty: {}, list: [] },
  lastActiveAt: new Date('1999-12-31T23:59:59.999Z'),
  createdAt: new Date('1990-01-02T03:04:05.006Z'),
  updatedAt: new Date('1991-01-02T03:04:05.006Z'),
} satisfies NewUser

function itCreates(ground: Ground): void {
  it('stores every field and answers it, and get answers the same', async () => {
    const memory = await ground.open()
    const user = await memory.users.create(FULL)
    expect(user).toEqual({ ...FULL, tenantId: 'default', version: 1 })
    expect(await memory.users.get('u')).toEqual(user)
  })

  it('fills in what is not given, with ids in the order of their making', async () => {
    const memory = await ground.open()
    const user = await memory.users.create({})
    expect(user).toEqual({
      id: user.id,
      tenantId: 'default',
      name: null,
      preferences: {},
      profile: {},
      metadata: {},
      lastActiveAt: null,
      createdAt: ground.clock.date(),
      updatedAt: ground.clock.date(),
      version: 1,
    })
    expect(user.id).not.toBe('')
    expect((await memory.users.create({})).id).not.toBe(user.id)
  })

  it('an id that exists is a conflict and changes nothing; an unknown one is null', async () => {
    const memory = await ground.open()
    const user = await memory.users.create(FULL)
    await refused(memory.users.create({ id: 'u', name: 'other' }), 'conflict')
    expect(await memory.users.get('u')).toEqual(user)
    expect(await memory.users.get('U')).toBeNull()
  })
}

function itUpdates(ground: Ground): void {
  it('merges JSON one level deep and leaves the rest', async () => {
    const memory = await ground.open()
    const before = await memory.users.create(FULL)
    ground.clock.advance(1)
    const after = await memory.users.update('u', {
      preferences: { nested: { b: 1 }, added: [1] },
      metadata: { 'a.b': null },
      lastActiveAt: null,
    })
    expect(after).toEqual({
      ...before,
      preferences: { theme: 'dark', nested: { b: 1 }, added: [1] },
      metadata: { 'a.b': null, empty: {}, list: [] },
      lastActiveAt: null,
      updatedAt: ground.clock.date(),
      version: 2,
    })
    expect(await memory.users.get('u')).toEqual(after)
  })

  it('properties that are undefined are as absent; null clears', async () => {
    const memory = await ground.open()
    const before = await memory.users.create(FULL)
    const after = await memory.users.update('u', {
      name: undefined,
      preferences: undefined,
      profile: { x: undefined as never },
    })
    expect({ ...after, version: 1, updatedAt: before.updatedAt }).toEqual(before)
    expect((await memory.users.update('u', { name: null })).name).toBeNull()
  })

  it('writes only over the version that was read', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: 'u' })
    expect((await memory.users.update('u', { name: 'a' }, { version: 1 })).version).toBe(2)
    await refused(memory.users.update('u', { name: 'b' }, { version: 1 }), 'conflict')
    expect(await memory.users.get('u')).toMatchObject({ name: 'a', version: 2 })
  })

  it('an update or a delete of an unknown user is missing', async () => {
    const memory = await ground.open()
    await missing(memory.users.update('nobody', { name: 'x' }), 'user')
    await missing(memory.users.update('nobody', { name: 'x' }, { version: 1 }), 'user')
    await missing(memory.users.delete('nobody'), 'user')
    expect((await memory.users.list()).items).toEqual([])
  })
}

function itDeletes(ground: Ground): void {
  it('takes everything of the user and nothing of another', async () => {
    const memory = await ground.open()
    for (const user of [ADA, 'bob']) {
      await talk(memory, `c-${user}`, ['a', 'b'], user)
      await memory.sessions.create({ id: `s-${user}`, userId: user })
      await memory.memories.add({ id: `m-${user}`, userId: user, content: 'x' })
    }
    const bob = await memory.statistics({ userId: 'bob' })
    await memory.users.delete(ADA)
    expect(await memory.users.get(ADA)).toBeNull()
    expect(await memory.conversations.get(`c-${ADA}`)).toBeNull()
    expect((await memory.messages.list(`c-${ADA}`)).items).toEqual([])
    expect(await memory.sessions.get(`s-${ADA}`)).toBeNull()
    expect(await memory.memories.get(`m-${ADA}`)).toBeNull()
    expect(await memory.statistics({ userId: 'bob' })).toEqual(bob)
    expect(await memory.statistics()).toMatchObject({
      users: 1,
      conversations: 1,
      messages: 2,
      sessions: 1,
      memories: 1,
    })
  })

  it('a user who comes back has nothing of before', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    await memory.users.update(ADA, { name: 'old' })
    await memory.users.delete(ADA)
    const [message] = await talk(memory, 'c', ['new'])
    expect((await memory.messages.list('c')).items).toEqual([message])
    expect(await memory.users.get(ADA)).toMatchObject({ name: null, version: 1 })
  })
}

/** In UTF-16 order the last two would change places; in a language's order nearly all would. */
const ORDER = ['A', 'B', 'Z', '_', 'a', 'aa', 'b', '\u00e9', '\u0436', '\u6771', '\uff5e', '\u{1f600}']

function itLists(ground: Ground): void {
  it('orders ids by their bytes, not by a language or by UTF-16 units', async () => {
    const memory = await ground.open()
    for (const id of [...ORDER].reverse()) await memory.users.create({ id })
    expect([...ORDER].sort(byBytes)).toEqual(ORDER)
    expect(idsOf((await memory.users.list()).items)).toEqual(ORDER)
  })

  itPages(ground, {
    async fill(memory, count) {
      const ids = Array.from({ length: count }, (_, i) => `${ORDER[i % ORDER.length]}${i}`)
      await Promise.all(ids.map((id) => memory.users.create({ id })))
      return [...ids].sort(byBytes)
    },
    addFirst: async (memory) => (await memory.users.create({ id: '!' })).id,
    remove: (memory, id) => memory.users.delete(id),
    list: (memory, options) => memory.users.list(options),
    each: (memory) => memory.users.each(),
    key: (user) => user.id,
  })
}
