import { expect, it } from 'vitest'
import { gate, pause } from '../support/gate.js'
import { failure, refused } from './expecting.js'
import { ADA, collect, contentsOf, numbered, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeLifecycle(harness: Harness): void {
  suite(harness, 'lifecycle', ['messages'], (ground) => {
    itOpens(ground)
    itCloses(ground)
    itKeeps(ground)
  })
  suite(harness, 'lifecycle: close during a unit', ['atomicUnit', 'messages', 'users'], itWaitsForUnits)
}

function itOpens(ground: Ground): void {
  it('connect is shared by concurrent callers and can be repeated', async () => {
    const memory = await ground.create()
    await Promise.all(Array.from({ length: 8 }, () => memory.connect()))
    await memory.connect()
    expect(await memory.healthCheck()).toBe(true)
    await talk(memory, 'c', ['a'])
    await memory.connect()
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })

  it('a call before connect connects by itself, also eight at once', async () => {
    const memory = await ground.create()
    await Promise.all(numbered(8).map((content) => talk(memory, 'c', [content])))
    expect((await memory.messages.list('c')).items).toHaveLength(8)
    const reader = await ground.create()
    expect(await collect(reader.messages.each('c'))).toEqual([])
  })

  it('is healthy between connect and close, and asking does not connect', async () => {
    const memory = await ground.create()
    expect(await memory.healthCheck()).toBe(false)
    expect(await memory.healthCheck()).toBe(false)
    await memory.connect()
    expect(await memory.healthCheck()).toBe(true)
    await memory.close()
    expect(await memory.healthCheck()).toBe(false)
  })

  it('two memories over storage of their own share nothing', async () => {
    const [one, other] = [await ground.open(), await ground.open()]
    await talk(one, 'c', ['a'])
    expect((await other.messages.list('c')).items).toEqual([])
    await other.close()
    expect((await one.messages.list('c')).items).toHaveLength(1)
  })
}

function itCloses(ground: Ground): void {
  it('close can be repeated, at once and later, and every call after it is closed', async () => {
    const memory = await ground.open()
    const tenant = memory.forTenant('a')
    await Promise.all([memory.close(), memory.close(), memory.close()])
    await memory.close()
    const calls = [
      () => memory.connect(),
      () => memory.messages.list('c'),
      () => talk(memory, 'c', ['a']),
      () => collect(memory.messages.each('c')),
      () => tenant.messages.list('c'),
      () => memory.forTenant('b').messages.list('c'),
      () => memory.cache.get('k'),
      () => memory.cache.set('k', 1),
      () => memory.statistics(),
      () => memory.unitOfWork(async () => 1),
      () => memory.storeMessage('c', says('a')),
      () => memory.sweep(),
    ]
    for (const call of calls) await refused(call, 'closed')
  })

  it('a memory that was never connected can be closed, and stays closed', async () => {
    const memory = await ground.create()
    await memory.close()
    await refused(memory.connect(), 'closed')
    await refused(memory.messages.list('c'), 'closed')
    expect(await memory.healthCheck()).toBe(false)
  })

  it('close during connect leaves it closed', async () => {
    const memory = await ground.create()
    const connecting = failure(memory.connect())
    await memory.close()
    const error = await connecting
    if (error !== null) expect(error).toMatchObject({ code: 'closed' })
    expect(await memory.healthCheck()).toBe(false)
    await refused(memory.messages.list('c'), 'closed')
  })

  it('close waits for what is in flight: each call is answered as if nothing had happened', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['first'])
    const appends = numbered(30).map((content) => talk(memory, 'c', [content]))
    const reads = numbered(5).map(() => memory.messages.list('c'))
    const closing = memory.close()
    const late = refused(talk(memory, 'c', ['late']), 'closed')
    const stored = await Promise.all(appends)
    expect(stored.map(contentsOf)).toEqual(numbered(30).map((content) => [content]))
    for (const read of await Promise.all(reads)) expect(read.items.length).toBeGreaterThan(0)
    await closing
    await late
  })

  it('await using closes', async () => {
    const memory = await ground.open()
    {
      await using mine = memory
      await talk(mine, 'c', ['a'])
    }
    expect(await memory.healthCheck()).toBe(false)
    await refused(memory.messages.list('c'), 'closed')
  })
}

function itKeeps(ground: Ground): void {
  ground.shared('what was acknowledged is there after close, for the next instance', async () => {
    const memory = await ground.open()
    const stored = await talk(memory, 'c', ['a', 'b'])
    const pending = talk(memory, 'c', ['c'])
    await memory.close()
    await pending
    const second = await ground.reopen(memory)
    const { items } = await second.messages.list('c')
    expect(items.slice(0, 2)).toEqual(stored)
    expect(contentsOf(items)).toEqual(['a', 'b', 'c'])
    await talk(second, 'c', ['d'])
    expect((await second.messages.list('c')).items).toHaveLength(4)
  })

  ground.shared('many instances can open the storage at once', async () => {
    const memory = await ground.open()
    const others = await Promise.all(numbered(6).map(() => ground.reopen(memory)))
    await Promise.all(others.map((other, i) => talk(other, 'c', [`${i}`])))
    expect((await memory.messages.list('c')).items).toHaveLength(6)
  })
}

function itWaitsForUnits(ground: Ground): void {
  it('a unit under way is finished, new calls are refused meanwhile', async () => {
    const memory = await ground.open()
    const [begun, finish] = [gate(), gate()]
    const answer = memory.unitOfWork(async (unit) => {
      await unit.users.create({ id: ADA })
      begun.open()
      await finish.opened
      return (await talk(unit, 'c', ['written after close was asked for']))[0]?.content
    })
    await begun.opened
    let closed = false
    const closing = memory.close().then(() => {
      closed = true
    })
    await refused(memory.users.get(ADA), 'closed')
    await pause()
    expect(closed).toBe(false)
    finish.open()
    expect(await answer).toBe('written after close was asked for')
    await closing
    expect(closed).toBe(true)
  })
}
