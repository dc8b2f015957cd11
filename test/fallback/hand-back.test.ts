import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { chain, contents, type Ground, refused, says } from './support.js'

const rows = (path: string): Record<string, number> => {
  const database = new Database(path, { readonly: true })
  const tables = ['journal', 'users', 'conversations', 'messages', 'sessions', 'memories', 'documents']
  const counted = tables.map((table) => [
    table,
    (database.prepare(`select count(*) as n from bruno_${table}`).get() as { n: number }).n,
  ])
  database.close()
  return Object.fromEntries(counted)
}
const state = (path: string): unknown => {
  const database = new Database(path, { readonly: true })
  const row = database.prepare('select epoch, phase, lease_owner from bruno_fallback_state').get()
  database.close()
  return row
}
const NOTHING = { journal: 0, users: 0, conversations: 0, messages: 0, sessions: 0, memories: 0, documents: 0 }

async function outage({ memory, first }: Ground): Promise<void> {
  first.mood = 'away'
  await memory.users.create({ id: 'bob', name: 'Bob' })
  await memory.messages.append('c', [says('two', 'm2'), says('three')], { userId: 'ada' })
  await memory.messages.update('c', 'm2', { content: 'two, changed' })
  await memory.conversations.create({ id: 'd', userId: 'eve', title: 'D' })
  await memory.messages.append('d', says('first', 'd1'))
  await memory.messages.branch('d', 'd1', { id: 'e' })
  const session = await memory.sessions.create({ id: 's', userId: 'ada', state: { a: 1 } })
  await memory.sessions.update('s', { state: { b: 2 } }, { version: session.version })
  await memory.sessions.end('s')
  await memory.memories.addMany([
    { id: 'x', userId: 'ada', content: 'a fact', expiresAt: new Date('2099-01-01T00:00:00Z') },
    { userId: 'ada', content: 'another one', tags: ['t'] },
  ])
  await memory.documents.upsert([{ namespace: 'n', id: 'k', content: 'chunk', metadata: { page: 1 } }])
  await memory.memories.add({ id: 'y', userId: 'ada', content: 'gone' })
  await memory.memories.delete('y')
}

describe('hand-back', () => {
  test('gives the first everything in order, and leaves nothing', async () => {
    const ground = await chain()
    const { memory, first, paths } = ground
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    await outage(ground)
    expect(memory.status()).toMatchObject({ journal: 13, epoch: 1 })
    first.up()
    expect(await memory.handBack()).toEqual({ handedBack: 13, parked: 0, finished: true, reason: null })
    expect(memory.status()).toMatchObject({ serving: 'sqlite', degraded: false, journal: 0, epoch: null })
    expect(await contents(memory, 'c')).toEqual(['one', 'two, changed', 'three'])
    expect(await contents(memory, 'e')).toEqual(['first'])
    expect(await memory.sessions.get('s')).toMatchObject({
      state: { a: 1, b: 2 },
      version: 3,
      endedAt: expect.any(Date),
    })
    expect(await memory.memories.get('x')).toMatchObject({ expiresAt: new Date('2099-01-01T00:00:00Z') })
    expect(await memory.documents.get('n', 'k')).toMatchObject({ metadata: { page: 1 } })
    expect(await memory.statistics()).toMatchObject({ users: 3, conversations: 3, messages: 5, memories: 2 })
    expect(state(paths[1] as string)).toEqual({ epoch: 2, phase: 'idle', lease_owner: null })
  })

  test('removes what the outage left, and nothing that was there before', async () => {
    const ground = await chain({ checkInterval: 20 })
    const { memory, first, paths } = ground
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    await outage(ground)
    first.up()
    await expect.poll(() => memory.status().degraded, { timeout: 5000 }).toBe(false)
    await expect.poll(() => rows(paths[1] as string), { timeout: 5000 }).toEqual(NOTHING)
    first.mood = 'away'
    await memory.messages.append('c', says('four'))
    expect(memory.status().epoch).toBe(3)
    expect(await contents(memory, 'c')).toEqual(['four'])
  })

  test('keeps the times of the outage', async () => {
    let now = Date.parse('2030-01-01T00:00:00Z')
    const ground = await chain({ clock: () => now })
    const { memory, first } = ground
    await memory.users.create({ id: 'ada' })
    first.mood = 'away'
    now += 1000
    await memory.messages.append('c', says('one', 'm'), { userId: 'ada' })
    await memory.sessions.create({ id: 's', userId: 'ada' })
    now += 1000
    await memory.sessions.end('s')
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'x' })
    now += 60_000
    first.up()
    await memory.handBack()
    const at = (seconds: number) => new Date(Date.parse('2030-01-01T00:00:00Z') + seconds * 1000)
    expect(await memory.messages.get('c', 'm')).toMatchObject({ createdAt: at(1), updatedAt: at(1) })
    expect(await memory.sessions.get('s')).toMatchObject({ startedAt: at(1), endedAt: at(2), updatedAt: at(2) })
    expect(await memory.documents.get('n', 'd')).toMatchObject({ createdAt: at(2) })
    await memory.users.update('ada', { name: 'Ada' })
    expect(await memory.users.get('ada')).toMatchObject({ updatedAt: at(62) })
  })

  test('that is broken off at any point is finished by the next process', async () => {
    for (let point = 1; point <= 6; point++) {
      const ground = await chain()
      const { memory, first } = ground
      for (const content of ['one', 'two']) await memory.messages.append('c', says(content), { userId: 'ada' })
      await outage(ground)
      first.up()
      const begun = first.asked
      // The answer of the unit that stored some of it is lost, or the store goes away in front of it.
      first.before = () => {
        if (first.asked - begun === point) first.mood = point % 2 === 0 ? 'lost' : 'away'
      }
      const report = await memory.handBack()
      const other = await ground.other()
      expect(await other.handBack()).toMatchObject({ finished: true, parked: 0 })
      expect(await contents(other, 'c'), `${point} ${JSON.stringify(report)}`).toEqual([
        'one',
        'two',
        'two, changed',
        'three',
      ])
      expect(await other.sessions.get('s')).toMatchObject({ version: 3 })
      await memory.close()
      await other.close()
    }
  })

  test('goes on while new writes come', async () => {
    const ground = await chain()
    const { memory, first } = ground
    first.mood = 'away'
    for (let i = 0; i < 300; i++) await memory.messages.append('c', says(`${i}`), { userId: 'ada' })
    first.up()
    let next = 300
    let running = true
    const writer = (async () => {
      while (running) {
        await memory.messages.append('c', says(`${next++}`))
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    })()
    expect(await memory.handBack()).toMatchObject({ finished: true, parked: 0 })
    running = false
    await writer
    expect(await contents(memory, 'c')).toEqual(Array.from({ length: next }, (_, i) => `${i}`))
  })

  test('parks what is refused for good, says why, and goes on', async () => {
    const ground = await chain()
    const { memory, first } = ground
    await memory.users.create({ id: 'ada', name: 'Ada' })
    first.mood = 'away'
    await memory.users.create({ id: 'ada', name: 'Another' })
    await memory.messages.append('nowhere', says('secret words'))
    await memory.messages.append('c', says('one'), { userId: 'bob' })
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, parked: 2, finished: true })
    expect(await contents(memory, 'c')).toEqual(['one'])
    expect(await memory.users.get('ada')).toMatchObject({ name: 'Ada' })
    const later = await ground.other()
    await expect.poll(() => later.status().parked.length, { timeout: 5000 }).toBe(2)
    const { parked } = later.status()
    expect(parked.map(({ verbs, reason, backend }) => [verbs, reason, backend])).toEqual([
      [['users.create'], 'ConflictError: a user with this id exists already', 'sqlite#2'],
      [['messages.append'], 'NotFoundError: no such conversation', 'sqlite#2'],
    ])
    expect(JSON.stringify(parked)).not.toContain('secret')
  })

  test('does not park what the store fails at', async () => {
    const ground = await chain()
    const { memory, first } = ground
    first.mood = 'away'
    await memory.users.create({ id: 'ada' })
    expect(await memory.handBack()).toMatchObject({
      handedBack: 0,
      parked: 0,
      finished: false,
      reason: expect.any(String),
    })
    expect(memory.status()).toMatchObject({ degraded: true, journal: 1 })
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, finished: true })
  })

  test('of an operation is one: its id is known to the first afterwards', async () => {
    const { memory, first } = await chain()
    await memory.users.create({ id: 'ada' })
    const pay = () => memory.memories.add({ userId: 'ada', content: 'once' }, { operationId: 'op' })
    first.mood = 'away'
    const made = await pay()
    expect(await pay()).toEqual(made)
    expect(memory.status().journal).toBe(1)
    first.up()
    await memory.handBack()
    expect(await pay()).toEqual(made)
    expect((await memory.memories.list()).items).toHaveLength(1)
    await refused(() => memory.memories.add({ userId: 'ada', content: 'other' }, { operationId: 'op' }), 'conflict')
  })

  test('passes over an operation that the first knew before', async () => {
    const { memory, first } = await chain()
    const add = () => memory.memories.add({ userId: 'ada', content: 'once' }, { operationId: 'op' })
    await add()
    first.mood = 'away'
    await add()
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, parked: 0 })
    expect((await memory.memories.list()).items).toHaveLength(1)
  })
})
