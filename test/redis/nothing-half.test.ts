import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TenantKeys } from '../../src/backends/redis/keys.js'
import type { Memory } from '../../src/contract/memory.js'
import { refused } from '../conformance/expecting.js'
import { ADA, contentsOf, says, talk } from '../conformance/fixtures.js'
import { type Server, startRedis } from '../ground/index.js'
import { startRedisReplica } from '../ground/redis-replica.js'
import { freshPrefix, memories } from './support/memories.js'

let server: Server
let admin: Redis
beforeAll(async () => {
  server = await startRedis({ own: true })
  admin = new Redis(server.url)
})
afterAll(async () => {
  admin.disconnect()
  await server.stop()
})

const { create, dispose } = memories(() => ({ url: server.url }))
afterEach(dispose)

/** Everything that the server holds, but for the traces that every commit leaves. */
async function everything(): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const key of (await admin.keys('*')).filter((name) => !/:[kt]:/.test(name)).sort())
    all[key] = String(await admin.dumpBuffer(key).then((bytes) => bytes?.toString('hex')))
  return all
}

async function filled(prefix = freshPrefix()): Promise<{ memory: Memory; keys: TenantKeys }> {
  const memory = create({ prefix, events: true, ttl: 3600, slidingTtl: true })
  await talk(memory, 'c', [says('one', { id: 'm1' }), says('two', { id: 'm2', parentId: 'm1' })])
  await memory.sessions.create({ id: 's', userId: ADA, conversationId: 'c' })
  await memory.memories.add({ id: 'e', userId: ADA, conversationId: 'c', content: 'x' })
  await memory.users.update(ADA, { name: 'Ada' })
  return { memory, keys: new TenantKeys(prefix, 'default') }
}

const VERBS: Readonly<Record<string, (memory: Memory) => Promise<unknown>>> = {
  append: (m) => m.messages.append('c', [says('three'), says('four')]),
  'append to a new conversation': (m) => talk(m, 'new', ['x']),
  upsert: (m) => m.messages.upsert('c', says('changed', { id: 'm1' })),
  'update of a message': (m) => m.messages.update('c', 'm1', { content: 'changed' }),
  'delete of a message': (m) => m.messages.delete('c', 'm1'),
  clear: (m) => m.messages.clear('c'),
  branch: (m) => m.messages.branch('c', 'm2', { id: 'branch' }),
  'update of a conversation': (m) => m.conversations.update('c', { title: 'x' }),
  'delete of a conversation': (m) => m.conversations.delete('c'),
  'a new session': (m) => m.sessions.create({ id: 's2', userId: ADA }),
  'end of a session': (m) => m.sessions.end('s'),
  'a new memory': (m) => m.memories.add({ id: 'e2', userId: 'eve', content: 'x' }),
  'update of a memory': (m) => m.memories.update('e', { importance: 0.9 }),
  recall: (m) => m.memories.recall({ userId: ADA }),
  'delete of a user': (m) => m.users.delete(ADA),
  'a unit': (m) =>
    m.unitOfWork(async (unit) => {
      await unit.memories.delete('e')
      await unit.messages.append('c', says('in a unit'))
      await unit.conversations.create({ id: 'u', userId: 'bob' })
    }),
}

describe('a memory that is full', () => {
  afterEach(() => admin.config('SET', 'maxmemory', '0'))

  it.each(Object.entries(VERBS))('refuses: %s, and nothing of it was written', async (_, verb) => {
    await admin.flushall()
    const { memory } = await filled()
    const before = await everything()
    await admin.config('SET', 'maxmemory', '1')
    const error = await refused(verb(memory), 'overloaded')
    expect(error.retryable).toBe(true)
    expect(await everything()).toEqual(before)
    expect((await memory.messages.list('c')).items).toHaveLength(2)
    await admin.config('SET', 'maxmemory', '0')
    await verb(memory)
  })
})

describe('a key of another type', () => {
  const KEYS: Readonly<Record<string, (keys: TenantKeys) => string>> = {
    'the user': (k) => k.user(ADA),
    'the conversation': (k) => k.conversation('c'),
    'its messages': (k) => k.messages('c'),
    'its links': (k) => k.links('c'),
    'the session': (k) => k.session('s'),
    'the memory': (k) => k.memory('e'),
    'the users': (k) => k.users,
    'the conversations': (k) => k.conversations(),
    'the conversations of a user': (k) => k.conversations(ADA),
    'the sessions': (k) => k.sessions(),
    'the memories of a user': (k) => k.memories(ADA),
    'what is due': (k) => k.due,
    'the events': (k) => k.events,
  }
  it.each(Object.entries(KEYS))(
    'in the place of %s: a verb succeeds without it, or leaves nothing',
    async (_, keyOf) => {
      for (const [name, verb] of Object.entries(VERBS)) {
        await admin.flushall()
        const { memory, keys } = await filled()
        const key = keyOf(keys)
        await admin.del(key)
        await admin.lpush(key, 'of somebody else')
        const before = await everything()
        const outcome = await verb(memory).then(
          () => null,
          (error: unknown) => error,
        )
        if (outcome === null) continue
        expect(outcome, name).toMatchObject({ code: expect.stringMatching(/^(storage|not-found|conflict)$/) })
        expect(await everything(), name).toEqual(before)
        await memory.close()
      }
    },
  )
})

describe('a value that somebody else has changed', () => {
  const HOSTILE = [
    '',
    'x',
    '{',
    '[]',
    '[1]',
    'null',
    '{"__proto__":{"polluted":true}}',
    '"a"',
    '\u0000',
    '9'.repeat(400),
  ]
  it('is refused when it is read, and harms nobody', async () => {
    await admin.flushall()
    const { memory, keys } = await filled()
    for (const value of HOSTILE) {
      for (const key of [keys.user(ADA), keys.conversation('c'), keys.session('s'), keys.memory('e')])
        await admin.hset(key, 'd', value)
      const reads = [
        () => memory.users.get(ADA),
        () => memory.conversations.get('c'),
        () => memory.sessions.get('s'),
        () => memory.memories.get('e'),
        () => memory.memories.list(),
        () => memory.statistics(),
        () => memory.users.update(ADA, { name: 'x' }),
      ]
      for (const read of reads) {
        const error = await refused(read, 'storage')
        expect(`${error.message} ${String(error.cause)} ${error.stack}`).not.toContain('polluted')
      }
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('counters, ends and messages that are none are refused as well', async () => {
    await admin.flushall()
    const { memory, keys } = await filled()
    await admin.zadd(keys.messages('c'), 0, '0000000000000009["m9"]')
    await refused(memory.messages.list('c'), 'storage')
    await admin.zrem(keys.messages('c'), '0000000000000009["m9"]')
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['one', 'two'])
    for (const field of ['n', 'p', 't', 'x', 'y']) {
      const value = await admin.hget(keys.conversation('c'), field)
      await admin.hset(keys.conversation('c'), field, 'many')
      await refused(memory.conversations.get('c'), 'storage')
      if (value === null) await admin.hdel(keys.conversation('c'), field)
      else await admin.hset(keys.conversation('c'), field, value)
    }
    const before = await everything()
    await admin.hset(keys.conversation('c'), 'p', 'many')
    await refused(memory.messages.append('c', says('x')), 'storage')
    await admin.hset(keys.conversation('c'), 'p', '2')
    expect(await everything()).toEqual(before)
  })
})

it('a read-only replica answers reads and refuses writes by their name', async () => {
  await admin.flushall()
  const prefix = freshPrefix()
  await filled(prefix)
  await using replica = await startRedisReplica(server)
  await replica.caughtUp()
  const memory = create({ url: replica.url, prefix })
  expect((await memory.messages.list('c')).items).toHaveLength(2)
  const error = await refused(memory.messages.append('c', says('x')), 'storage')
  expect(error.message).toContain('READONLY')
  await refused(memory.users.update(ADA, { name: 'x' }), 'storage')
})
