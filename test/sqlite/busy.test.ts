import { describe, expect, test } from 'vitest'
import { TimeoutError } from '../../src/errors.js'
import { manualClock } from '../support/clock.js'
import { gate, pause } from '../support/gate.js'
import { holdLock, longestPause } from './support/locks.js'
import { freshStore, type Rest, type Store } from './support/store.js'

const says = (content: string, id?: string) => ({ role: 'user' as const, content, id })

async function prepared(store: Store, options: Rest = {}) {
  const memory = await store.open(options)
  await memory.messages.append('c', says('first', 'first'), { userId: 'ada' })
  return memory
}

const ids = async (memory: Awaited<ReturnType<typeof prepared>>): Promise<string[]> =>
  (await memory.messages.list('c')).items.map((message) => message.id)

describe('while another process writes', () => {
  test('a write waits for it, and the event loop goes on', async () => {
    await using store = freshStore()
    const memory = await prepared(store)
    const { released } = await holdLock(store.path, 1000)
    const started = performance.now()
    const writing = memory.messages.append('c', says('second', 'second'))
    expect(await longestPause(writing)).toBeLessThan(400)
    expect(performance.now() - started).toBeGreaterThan(500)
    expect(await ids(memory)).toEqual(['first', 'second'])
    await released
  })

  test('a read does not wait', async () => {
    await using store = freshStore()
    const memory = await prepared(store)
    const { released } = await holdLock(store.path, 1500)
    let free = false
    void released.then(() => {
      free = true
    })
    expect(await ids(memory)).toEqual(['first'])
    expect(await memory.search({ text: 'first' })).toHaveLength(1)
    expect((await memory.statistics()).messages).toBe(1)
    expect(free).toBe(false)
    await released
  })

  test('a write gives up after busyTimeout with a TimeoutError, and nothing of it is stored', async () => {
    await using store = freshStore()
    const memory = await prepared(store, { busyTimeout: 200 })
    const { released } = await holdLock(store.path, 1500)
    const outcomes = await Promise.allSettled([
      memory.messages.append('c', says('late', 'late')),
      memory.memories.add({ userId: 'ada', content: 'late' }),
      memory.unitOfWork((unit) => unit.messages.append('c', says('late', 'unit'))),
    ])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { retryable: true, code: 'timeout' } })
      expect((outcome as PromiseRejectedResult).reason.message).toBe('the database is locked by another process')
    }
    await released
    await memory.messages.append('c', says('second', 'second'))
    expect(await ids(memory)).toEqual(['first', 'second'])
  })

  test('the wait ends in real time, whatever the memory’s clock says', async () => {
    await using store = freshStore()
    const memory = await prepared(store, { busyTimeout: 200, clock: manualClock().now })
    const { released } = await holdLock(store.path, 1500)
    await expect(memory.messages.append('c', says('late'))).rejects.toBeInstanceOf(TimeoutError)
    await released
  })

  test('opening waits for it too', async () => {
    await using store = freshStore()
    const first = await prepared(store)
    const { released } = await holdLock(store.path, 300)
    const second = await store.open()
    expect(await ids(second)).toEqual(['first'])
    await released
    await second.messages.append('c', says('second', 'second'))
    expect(await ids(first)).toEqual(['first', 'second'])
  })
})

test('two instances on one file write in turn, and none is lost', async () => {
  await using store = freshStore()
  const [first, second] = [await prepared(store), await store.open()]
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => (i % 2 ? first : second).messages.append('c', says(`n${i}`, `m${i}`))),
  )
  const { items } = await second.messages.list('c', { first: 1000 })
  expect(items.map((message) => message.position)).toEqual(items.map((_, i) => i + 1))
  expect(new Set(items.map((message) => message.id)).size).toBe(101)
})

describe('a unit that does not end', () => {
  test('lets reads go on, and writes give up after writeTimeout, stored nowhere', async () => {
    await using store = freshStore()
    const memory = await prepared(store, { writeTimeout: 150 })
    const [begun, end] = [gate(), gate()]
    const unit = memory.unitOfWork(async (inside) => {
      await inside.messages.append('c', says('inside', 'inside'))
      begun.open()
      await end.opened
    })
    await begun.opened
    const outcomes = await Promise.allSettled([
      memory.messages.append('c', says('late', 'late')),
      memory.unitOfWork((other) => other.messages.append('c', says('late', 'other'))),
    ])
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'timeout', retryable: true } })
    expect(await ids(memory)).toEqual(['first'])
    end.open()
    await unit
    await memory.messages.append('c', says('after', 'after'))
    expect(await ids(memory)).toEqual(['first', 'inside', 'after'])
  })

  test('does not time out itself: whoever holds the connection may take as long as it needs', async () => {
    await using store = freshStore()
    const memory = await prepared(store, { writeTimeout: 50 })
    await memory.unitOfWork(async (unit) => {
      await pause(200)
      await unit.messages.append('c', says('slow', 'slow'))
    })
    expect(await ids(memory)).toEqual(['first', 'slow'])
  })

  test('a write that waited for two units in turn leaves no timer behind', async () => {
    await using store = freshStore()
    const memory = await prepared(store, { writeTimeout: 60_000 })
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const [begun, end] = [gate(), gate()]
    const first = memory.unitOfWork(async () => {
      begun.open()
      await end.opened
    })
    await begun.opened
    const second = memory.unitOfWork((unit) => unit.messages.append('c', says('second')))
    const waiting = memory.messages.append('c', says('third'))
    end.open()
    await Promise.all([first, second, waiting])
    // A timer that is left keeps a finished program running.
    expect(timers()).toBe(before)
  })
})
