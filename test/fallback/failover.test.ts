import { describe, expect, test } from 'vitest'
import type { SwitchEvent } from '../../src/index.js'
import { chain, contents, refused, says } from './support.js'

describe('the first healthy backend', () => {
  test('serves, and the others are not asked', async () => {
    const { memory, second } = await chain()
    const { asked } = second
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    expect(await contents(memory, 'c')).toEqual(['one'])
    expect(second.asked).toBe(asked)
    expect(memory.status()).toMatchObject({ serving: 'sqlite', degraded: false, epoch: null, journal: 0, parked: [] })
    expect(memory.status().backends.map(({ name, healthy, serving }) => [name, healthy, serving])).toEqual([
      ['sqlite', true, true],
      ['sqlite#2', true, false],
    ])
  })

  test('is the second where the first is away at the start', async () => {
    const { memory } = await chain({}, ['away', 'up'])
    expect(memory.status()).toMatchObject({ serving: 'sqlite#2', degraded: true, epoch: 1 })
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    expect(memory.status().journal).toBe(1)
  })

  test('serves when it could not be opened at the start and is back', async () => {
    const { memory, first } = await chain({ checkInterval: 50 }, ['away', 'up'])
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    first.up()
    await expect.poll(() => memory.status().degraded, { timeout: 5000 }).toBe(false)
    expect(await contents(memory, 'c')).toEqual(['one'])
  })

  test('where all fail, one error lists each of them', async () => {
    const error = await refused(() => chain({}, ['away', 'away']), 'connection')
    expect(error.message).toBe(
      'no backend can be opened: sqlite: ConnectionError: told to be away; sqlite#2: ConnectionError: told to be away',
    )
  })
})

describe('while it runs', () => {
  test('a call that the first refuses is served by the next at once, and told', async () => {
    const { memory, first } = await chain()
    const events: SwitchEvent[] = []
    const stop = memory.onSwitch((event) => events.push(event))
    memory.onSwitch(() => {
      throw new Error('a listener fails')
    })
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    first.mood = 'away'
    const started = performance.now()
    await memory.messages.append('c', says('two'))
    expect(await contents(memory, 'c')).toEqual(['two'])
    expect(performance.now() - started).toBeLessThan(1000)
    const reason = 'ConnectionError: told to be away'
    expect(events).toEqual([{ from: 'sqlite', to: 'sqlite#2', reason, epoch: 1 }])
    expect(memory.status().backends[0]).toMatchObject({ healthy: false, reason })
    stop()
    first.up()
    await memory.handBack()
    expect(events).toHaveLength(1)
    expect(await contents(memory, 'c')).toEqual(['one', 'two'])
  })

  test('no call of many at once fails', async () => {
    const { memory, first } = await chain()
    first.before = (what) => {
      if (what !== 'ping' && first.asked > 20) first.mood = 'away'
    }
    const calls = Array.from({ length: 60 }, (_, i) =>
      memory.messages.append(`c${i % 5}`, says(`${i}`), { userId: 'ada' }),
    )
    expect(await Promise.all(calls)).toHaveLength(60)
    first.before = () => {}
    first.up()
    expect(await memory.handBack()).toMatchObject({ finished: true, parked: 0 })
    const all = await Promise.all([0, 1, 2, 3, 4].map((i) => contents(memory, `c${i}`)))
    expect(
      all
        .flat()
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 60 }, (_, i) => i))
  })

  test('a backend that hangs is away after callTimeout, and what it was asked is not done twice', async () => {
    const { memory, first } = await chain({ callTimeout: 100 })
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    first.mood = 'hangs'
    const started = performance.now()
    const [message] = await memory.messages.append('c', says('two'))
    expect(performance.now() - started).toBeLessThan(1500)
    first.up()
    expect(await memory.handBack()).toMatchObject({ finished: true, parked: 0 })
    expect(await contents(memory, 'c')).toEqual(['one', 'two'])
    expect((await memory.messages.list('c')).items[1]?.id).toBe(message?.id)
  })

  test('a slow call of a backend that answers is waited for', async () => {
    const { memory, first } = await chain({ callTimeout: 40 })
    first.before = (what) =>
      what === 'users.create' ? new Promise<void>((resolve) => setTimeout(resolve, 400)) : undefined
    await memory.users.create({ id: 'ada' })
    expect(memory.status().degraded).toBe(false)
  })

  test('answers are no outages', async () => {
    const { memory } = await chain()
    await memory.users.create({ id: 'ada' })
    await refused(() => memory.users.create({ id: 'ada' }), 'conflict')
    await refused(() => memory.users.update('bob', {}), 'not-found')
    await refused(() => memory.messages.append('c', says('')), 'validation')
    expect(memory.status().degraded).toBe(false)
  })

  test.each([
    ['append', (m: Memory) => m.messages.append('c', says('two'))],
    ['users.create', (m: Memory) => m.users.create({ name: 'x' })],
    ['sessions.create', (m: Memory) => m.sessions.create({ userId: 'ada' })],
    ['memories.add', (m: Memory) => m.memories.add({ userId: 'ada', content: 'x' })],
    ['conversations.create', (m: Memory) => m.conversations.create({ userId: 'ada' })],
  ])('%s whose answer was lost is stored once', async (_, write) => {
    const { memory, first, alone } = await chain()
    await memory.messages.append('c', says('one'), { userId: 'ada' })
    first.mood = 'lost'
    await write(memory)
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, parked: 0, finished: true })
    const { users, messages, sessions, memories, conversations } = await (await alone()).statistics()
    expect(users + messages + sessions + memories + conversations).toBe(4)
  })

  test('a call that nobody can serve fails with its own error', async () => {
    const { memory, first, second } = await chain()
    await memory.users.create({ id: 'ada' })
    first.mood = 'away'
    second.mood = 'away'
    expect((await refused(() => memory.users.get('ada'), 'connection')).retryable).toBe(true)
    first.up()
    expect(await memory.users.get('ada')).toMatchObject({ id: 'ada' })
  })

  test('close waits for what is under way and refuses what comes later', async () => {
    const { memory, first } = await chain()
    first.mood = 'away'
    const writes = Array.from({ length: 20 }, (_, i) => memory.messages.append('c', says(`${i}`), { userId: 'ada' }))
    await memory.close()
    expect((await Promise.all(writes)).flat()).toHaveLength(20)
    await refused(() => memory.users.get('ada'), 'closed')
  })
})

type Memory = Awaited<ReturnType<typeof chain>>['memory']
