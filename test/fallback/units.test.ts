import { describe, expect, test } from 'vitest'
import { ConnectionError } from '../../src/errors.js'
import { chain, contents, refused, says } from './support.js'

describe('a unit', () => {
  test('that the first refuses before its callback ran is run by the next, once, and handed back as one', async () => {
    const { memory, first } = await chain()
    await memory.users.create({ id: 'ada' })
    first.mood = 'away'
    let runs = 0
    await memory.unitOfWork(async (unit) => {
      runs++
      const { id } = await unit.conversations.create({ id: 'c', userId: 'ada' })
      await unit.messages.append(id, says('one'))
      await unit.unitOfWork(async (inner) => {
        await inner.messages.append(id, says('two'))
      })
      await unit
        .unitOfWork(async (inner) => {
          await inner.messages.append(id, says('taken back'))
          throw new Error('taken back')
        })
        .catch(() => undefined)
      expect((await unit.messages.list(id)).items).toHaveLength(2)
    })
    expect(runs).toBe(1)
    expect(memory.status().journal).toBe(1)
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, parked: 0 })
    expect(await contents(memory, 'c')).toEqual(['one', 'two'])
  })

  test('that only reads leaves no entry, and one that throws leaves nothing', async () => {
    const { memory, first } = await chain()
    first.mood = 'away'
    await memory.unitOfWork((unit) => unit.users.get('ada'))
    const failure = memory.unitOfWork(async (unit) => {
      await unit.users.create({ id: 'ada' })
      throw new RangeError('of the caller')
    })
    await expect(failure).rejects.toThrow(RangeError)
    expect(memory.status().journal).toBe(0)
    expect(await memory.users.get('ada')).toBeNull()
  })

  test('whose callback has begun is not run again: its error surfaces, and the next serves', async () => {
    const { memory, first } = await chain()
    let runs = 0
    const work = memory.unitOfWork(async (unit) => {
      runs++
      await unit.users.create({ id: 'ada' })
      first.mood = 'away'
      throw new ConnectionError('the connection was lost')
    })
    await expect(work).rejects.toThrow(ConnectionError)
    expect(runs).toBe(1)
    await expect.poll(() => memory.status().degraded).toBe(true)
    expect(await memory.users.get('ada')).toBeNull()
  })

  test('whose outcome is unknown is in doubt for as long as the first is away', async () => {
    const { memory, first } = await chain()
    let runs = 0
    const work = () =>
      memory.unitOfWork(
        async (unit) => {
          runs++
          await unit.users.create({ id: 'ada' })
        },
        { operationId: 'op' },
      )
    first.mood = 'lost'
    expect(await refused(work, 'connection')).toMatchObject({ outcome: 'unknown' })
    expect(await refused(work, 'connection')).toMatchObject({ outcome: 'unknown' })
    first.up()
    expect(await memory.handBack()).toMatchObject({ finished: true })
    await work()
    expect(runs).toBe(1)
    expect(await memory.users.get('ada')).not.toBeNull()
  })

  test('that waits for a backend which hangs is run by the next, and never by the first', async () => {
    const { memory, first } = await chain({ callTimeout: 50 })
    await memory.users.create({ id: 'ada' })
    first.mood = 'hangs'
    let runs = 0
    await memory.unitOfWork(async (unit) => {
      runs++
      await unit.users.create({ id: 'bob' })
    })
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 1, parked: 0, finished: true })
    expect(runs).toBe(1)
    expect((await memory.users.list()).items.map(({ id }) => id)).toEqual(['ada', 'bob'])
  })

  test('of two tenants are handed back apart', async () => {
    const { memory, first } = await chain()
    first.mood = 'away'
    for (const tenant of ['a', 'b', 'a'])
      await memory.forTenant(tenant).unitOfWork((unit) => unit.memories.add({ userId: 'ada', content: tenant }))
    first.up()
    expect(await memory.handBack()).toMatchObject({ handedBack: 3 })
    const of = async (tenant: string) =>
      (await memory.forTenant(tenant).memories.list()).items.map(({ content }) => content)
    expect([await of('a'), await of('b'), await of('default')]).toEqual([['a', 'a'], ['b'], []])
  })
})
