import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { chain, contents, Moody, says, until } from './support.js'

const write = (path: string, text: string): void => {
  const database = new Database(path)
  database.prepare(text).run()
  database.close()
}

describe('two processes over the same stores', () => {
  test('share one outage, which ends for both', async () => {
    const { memory, first, other } = await chain()
    await memory.messages.append('c', says('0'), { userId: 'ada' })
    const theirFirst = new Moody()
    const theirs = await other(theirFirst)
    first.mood = 'away'
    theirFirst.mood = 'away'
    await memory.messages.append('c', says('1'))
    await theirs.messages.append('c', says('2'))
    expect([memory, theirs].map((each) => each.status().epoch)).toEqual([1, 1])
    expect(await contents(theirs, 'c')).toEqual(['1', '2'])
    first.up()
    theirFirst.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 2, finished: true })
    // The other one still holds that there is an outage: its write is refused there, and goes to the first.
    expect(theirs.status().degraded).toBe(true)
    await theirs.messages.append('c', says('3'))
    expect(theirs.status()).toMatchObject({ degraded: false, epoch: null })
    expect(await contents(memory, 'c')).toEqual(['0', '1', '2', '3'])
  })

  test('a unit of a late process is run on the first', async () => {
    const { memory, first, other } = await chain()
    const theirFirst = new Moody()
    const theirs = await other(theirFirst)
    first.mood = 'away'
    theirFirst.mood = 'away'
    await theirs.users.create({ id: 'ada' })
    await memory.users.create({ id: 'bob' })
    first.up()
    theirFirst.up()
    await memory.handBack()
    let runs = 0
    await theirs.unitOfWork(async (unit) => {
      runs++
      await unit.users.create({ id: 'eve' })
    })
    expect(runs).toBe(1)
    expect((await memory.users.list()).items.map(({ id }) => id)).toEqual(['ada', 'bob', 'eve'])
  })

  test('a process that cannot reach the first begins another outage', async () => {
    const { memory, first, other } = await chain()
    const theirFirst = new Moody()
    const theirs = await other(theirFirst)
    first.mood = 'away'
    theirFirst.mood = 'away'
    await theirs.messages.append('c', says('1'), { userId: 'ada' })
    await memory.messages.append('c', says('2'))
    first.up()
    await memory.handBack()
    await theirs.messages.append('c', says('3'))
    expect(theirs.status()).toMatchObject({ degraded: true, epoch: 3 })
    expect(memory.status().degraded).toBe(false)
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, finished: true })
    expect(await contents(memory, 'c')).toEqual(['1', '2', '3'])
  })

  test('one that starts in an outage joins it, and hands back', async () => {
    const { memory, first, other } = await chain()
    await memory.messages.append('c', says('0'), { userId: 'ada' })
    first.mood = 'away'
    await memory.messages.append('c', says('1'))
    await memory.close()
    const theirs = await other()
    await theirs.messages.append('c', says('2'))
    await until(() => !theirs.status().degraded)
    expect(await contents(theirs, 'c')).toEqual(['0', '1', '2'])
  })

  test('only one of them hands back at a time', async () => {
    const { memory, first, other } = await chain()
    first.mood = 'away'
    await memory.messages.append('c', says('1'), { userId: 'ada' })
    const theirFirst = new Moody()
    theirFirst.mood = 'away'
    const theirs = await other(theirFirst)
    theirFirst.up()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    first.up()
    first.before = (what) => (what === 'unit' ? held : undefined)
    const ours = memory.handBack()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await theirs.handBack()).toMatchObject({ finished: false, reason: 'another process is handing back' })
    release()
    expect(await ours).toMatchObject({ handedBack: 1, finished: true })
  })

  test('writes of both while it is handed back are all there, in order', async () => {
    const { memory, first, other } = await chain({ checkInterval: 30 })
    first.mood = 'away'
    const theirFirst = new Moody()
    theirFirst.mood = 'away'
    const theirs = await other(theirFirst)
    let running = true
    const writer = async (by: typeof memory, id: string): Promise<number> => {
      let n = 0
      for (; running; n++) {
        await by.messages.append(id, says(`${n}`), { userId: 'ada' })
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      return n
    }
    const writers = [writer(memory, 'a'), writer(theirs, 'b')]
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => setTimeout(resolve, 300))
      first.up()
      theirFirst.up()
      await until(() => !memory.status().degraded && !theirs.status().degraded)
      await new Promise((resolve) => setTimeout(resolve, 100))
      first.mood = 'away'
      theirFirst.mood = 'away'
    }
    await until(() => memory.status().degraded)
    running = false
    const counts = await Promise.all(writers)
    first.up()
    theirFirst.up()
    await until(() => !memory.status().degraded && memory.status().journal === 0)
    const expected = counts.map((n) => Array.from({ length: n }, (_, i) => `${i}`))
    expect([await contents(memory, 'a'), await contents(memory, 'b')]).toEqual(expected)
  })

  test('what a process left that died while it closed the journal is opened again', async () => {
    const { memory, first, second, paths } = await chain()
    const path = paths[1] as string
    first.mood = 'away'
    await memory.messages.append('c', says('1'), { userId: 'ada' })
    const left = Date.now() + 300
    write(path, `update bruno_fallback_state set phase = 'closing', lease_owner = 'dead', lease_until = ${left}`)
    const started = Date.now()
    await memory.messages.append('c', says('2'))
    expect(Date.now()).toBeGreaterThanOrEqual(Math.min(left, started + 200))
    expect(second.mood).toBe('up')
    write(path, "update bruno_fallback_state set phase = 'closing', lease_owner = null, lease_until = null")
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 2, finished: true })
    expect(await contents(memory, 'c')).toEqual(['1', '2'])
  })
})
