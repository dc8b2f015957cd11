import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { gate, pause } from '../support/gate.js'
import { failure } from './expecting.js'
import { ADA, contentsOf, says, talk } from './fixtures.js'
import { type Feature, type Ground, type Harness, suite } from './harness.js'

const NEEDS: readonly Feature[] = ['atomicUnit', 'users', 'conversations', 'messages']

export function describeUnitIsolation(harness: Harness): void {
  suite(harness, 'unit of work: isolation', NEEDS, (ground) => {
    itHidesWhatIsNotCommitted(ground)
    itKeepsUnitsApart(ground)
  })
  suite(harness, 'unit of work: cache', NEEDS, itDefersTheCache)
}

/** A unit that has written and now stays open until it is told how to end. */
async function held(memory: Memory) {
  const written = gate()
  const finish = gate()
  let fails = false
  const done = failure(
    memory.unitOfWork(async (unit) => {
      await talk(unit, 'c', ['pending'])
      await unit.users.update(ADA, { name: 'pending' })
      written.open()
      await finish.opened
      if (fails) throw new Error('undo')
    }),
  )
  await written.opened
  const end = async (undo: boolean): Promise<void> => {
    fails = undo
    finish.open()
    await done
  }
  return { commit: () => end(false), undo: () => end(true) }
}

function itHidesWhatIsNotCommitted(ground: Ground): void {
  ground.promise('private-storage', 'reads outside answer while a unit is open, and see nothing of it', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['before'])
    const unit = await held(memory)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['before'])
    expect(await memory.users.get(ADA)).toMatchObject({ name: null })
    expect((await memory.statistics()).messages).toBe(1)
    if (!ground.lacks('textSearch')) expect(await memory.search({ text: 'pending' })).toEqual([])
    expect(await memory.healthCheck()).toBe(true)
    await unit.commit()
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['before', 'pending'])
    expect(await memory.users.get(ADA)).toMatchObject({ name: 'pending' })
  })

  it('a read begun during a unit that fails never sees it', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['before'])
    const unit = await held(memory)
    const reads = Promise.all([memory.messages.list('c'), memory.users.get(ADA), memory.statistics()])
    await pause()
    await unit.undo()
    const [messages, user, statistics] = await reads
    expect(contentsOf(messages.items)).toEqual(['before'])
    expect(user?.name).toBeNull()
    expect(statistics.messages).toBe(1)
  })

  it('a write begun during a unit is not part of it', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['before'])
    const unit = await held(memory)
    const outside = memory.messages.append('c', says('outside'))
    await pause()
    await unit.undo()
    await outside
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['before', 'outside'])
  })

  ground.shared('another instance sees nothing of a unit before its commit, and all of it afterwards', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['before'])
    const second = await ground.reopen(memory)
    const unit = await held(memory)
    expect(contentsOf((await second.messages.list('c')).items)).toEqual(['before'])
    await unit.commit()
    expect(contentsOf((await second.messages.list('c')).items)).toEqual(['before', 'pending'])
  })
}

function itKeepsUnitsApart(ground: Ground): void {
  it('units side by side do not mix: each is there whole or not at all', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['start'])
    const units = Array.from({ length: 12 }, (_, i) =>
      memory.unitOfWork(async (unit) => {
        await unit.messages.append('c', says(`${i}a`))
        await pause(i % 3)
        await unit.messages.append('c', says(`${i}b`))
        if (i % 3 === 0) throw new Error('undo')
      }),
    )
    await Promise.allSettled(units)
    const contents = contentsOf((await memory.messages.list('c')).items).slice(1)
    const kept = Array.from({ length: 12 }, (_, i) => i).filter((i) => i % 3 !== 0)
    expect([...contents].sort()).toEqual(kept.flatMap((i) => [`${i}a`, `${i}b`]).sort())
  })

  it('of two units that read and write the same record, none is overwritten unseen', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: ADA, metadata: { count: 0 } })
    const raise = () =>
      memory.unitOfWork(async (unit) => {
        const user = await unit.users.get(ADA)
        await pause(1)
        await unit.users.update(
          ADA,
          { metadata: { count: Number(user?.metadata.count) + 1 } },
          { version: user?.version },
        )
      })
    const settled = await Promise.allSettled(Array.from({ length: 8 }, raise))
    const succeeded = settled.filter((s) => s.status === 'fulfilled').length
    expect(succeeded).toBeGreaterThanOrEqual(1)
    for (const s of settled) if (s.status === 'rejected') expect(s.reason).toMatchObject({ code: 'conflict' })
    expect((await memory.users.get(ADA))?.metadata).toEqual({ count: succeeded })
  })

  it('units of different tenants do not hinder or see one another', async () => {
    const memory = await ground.open()
    const write = (tenantId: string) =>
      memory.forTenant(tenantId).unitOfWork(async (unit) => {
        expect(unit.tenantId).toBe(tenantId)
        await talk(unit, 'c', [tenantId])
        await pause(1)
        return contentsOf((await unit.messages.list('c')).items)
      })
    const tenants = ['a', 'b', 'c', 'd']
    expect(await Promise.all(tenants.map(write))).toEqual(tenants.map((tenantId) => [tenantId]))
  })
}

function itDefersTheCache(ground: Ground): void {
  it('cache writes of a unit take effect after its commit', async () => {
    const memory = await ground.open()
    await memory.cache.set('old', 1)
    const written = gate()
    const finish = gate()
    const done = memory.unitOfWork(async (unit) => {
      await unit.cache.set('new', { a: 1 })
      await unit.cache.delete('old')
      await unit.users.create({ id: ADA })
      written.open()
      await finish.opened
    })
    await written.opened
    expect([await memory.cache.get('new'), await memory.cache.get('old')]).toEqual([null, 1])
    finish.open()
    await done
    expect([await memory.cache.get('new'), await memory.cache.get('old')]).toEqual([{ a: 1 }, null])
  })

  it('those of a unit that fails, or of an inner one, never do', async () => {
    const memory = await ground.open()
    await memory.cache.set('old', 1)
    await failure(
      memory.unitOfWork(async (unit) => {
        await unit.cache.set('new', 1)
        await unit.cache.delete('old')
        throw new Error('undo')
      }),
    )
    expect([await memory.cache.get('new'), await memory.cache.get('old')]).toEqual([null, 1])
    await memory.unitOfWork(async (unit) => {
      await unit.cache.set('outer', 1)
      await failure(
        unit.unitOfWork(async (inner) => {
          await inner.cache.set('inner', 1)
          await inner.cache.delete('old')
          throw new Error('undo')
        }),
      )
      await unit.unitOfWork((inner) => inner.cache.set('kept', 1))
    })
    const keys = ['outer', 'inner', 'kept', 'old']
    expect(await Promise.all(keys.map((key) => memory.cache.get(key)))).toEqual([1, null, 1, 1])
  })

  it('an end that a unit gives holds after its commit, within the unit at once', async () => {
    const memory = await ground.open()
    await memory.cache.set('k', 1)
    await memory.unitOfWork(async (unit) => {
      expect([await unit.cache.expire('k', 3600), await unit.cache.expire('absent', 3600)]).toEqual([true, false])
      await unit.cache.set('own', 1)
      expect(await unit.cache.expire('own', 3600)).toBe(true)
      await unit.cache.delete('own')
      expect(await unit.cache.expire('own', 3600)).toBe(false)
    })
    expect([await memory.cache.get('k'), await memory.cache.get('own')]).toEqual([1, null])
  })

  it('the last write of a unit to a key wins', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (unit) => {
      await unit.cache.set('k', 1)
      await unit.cache.delete('k')
      await unit.cache.set('k', 2)
      await unit.cache.set('l', 1)
      await unit.cache.delete('l')
    })
    expect([await memory.cache.get('k'), await memory.cache.get('l')]).toEqual([2, null])
  })
}
