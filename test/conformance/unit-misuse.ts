import { expect, it } from 'vitest'
import type { Memory, UnitOfWork } from '../../src/contract/memory.js'
import { gate, pause } from '../support/gate.js'
import { failure, refused } from './expecting.js'
import { ADA, collect, contentsOf, says, talk } from './fixtures.js'
import { type Feature, type Ground, type Harness, suite } from './harness.js'

const NEEDS: readonly Feature[] = ['atomicUnit', 'users', 'conversations', 'messages', 'memories']

export function describeUnitMisuse(harness: Harness): void {
  suite(harness, 'unit of work: misuse', NEEDS, (ground) => {
    itRefusesTheOuterMemory(ground)
    itRefusesTheOuterUnit(ground)
    itRefusesEndedUnits(ground)
    itCatchesForgottenAwaits(ground)
  })
}

/** Calls of every sort: reads, writes, verbs, units, iterations. */
const CALLS: readonly [name: string, call: (memory: Omit<UnitOfWork, 'tenantId'>) => Promise<unknown>][] = [
  ['users.get', (m) => m.users.get(ADA)],
  ['users.create', (m) => m.users.create({ id: 'eve' })],
  ['conversations.list', (m) => m.conversations.list()],
  ['messages.append', (m) => m.messages.append('c', says('lost'))],
  ['messages.list', (m) => m.messages.list('c')],
  ['messages.each', (m) => collect(m.messages.each('c'))],
  ['memories.add', (m) => m.memories.add({ userId: ADA, content: 'lost' })],
  ['memories.recall', (m) => m.memories.recall({})],
  ['cache.set', (m) => m.cache.set('k', 1)],
  ['statistics', (m) => m.statistics()],
  ['unitOfWork', (m) => m.unitOfWork(async () => 1)],
]

function itRefusesTheOuterMemory(ground: Ground): void {
  it('the outer memory used inside the callback throws, reads and writes alike, and never hangs', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['a'])
    await memory.unitOfWork(async (unit) => {
      for (const [, call] of CALLS) await refused(() => call(memory), 'validation', 'unitOfWork')
      for (const [, call] of CALLS) await refused(() => call(memory.forTenant('default')), 'validation', 'unitOfWork')
      for (const [, call] of CALLS) await refused(() => call(memory.forTenant('other')), 'validation', 'unitOfWork')
      await refused(() => memory.storeMessage('c', says('lost')), 'validation', 'unitOfWork')
      await refused(() => memory.purgeExpired(), 'validation', 'unitOfWork')
      await refused(() => memory.sweep(), 'validation', 'unitOfWork')
      await unit.messages.append('c', says('b'))
    })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['a', 'b'])
    expect(await memory.users.get('eve')).toBeNull()
    expect(await memory.cache.get('k')).toBeNull()
  })

  it('it is refused after awaits, in helpers, and in what runs beside the unit', async () => {
    const memory = await ground.open()
    const helper = async () => {
      await pause(1)
      return memory.users.create({ id: 'eve' })
    }
    await memory.unitOfWork(async (unit) => {
      await unit.users.create({ id: ADA })
      await refused(() => Promise.all([unit.users.get(ADA), helper()]), 'validation', 'unitOfWork')
      await refused(() => unit.unitOfWork(async () => helper()), 'validation', 'unitOfWork')
    })
    expect(await memory.users.get('eve')).toBeNull()
    expect(await memory.users.get(ADA)).not.toBeNull()
  })

  it('close inside the callback is refused rather than waited for', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (unit) => {
      await refused(() => memory.close(), 'validation', 'unitOfWork')
      await unit.users.create({ id: ADA })
    })
    expect(await memory.users.get(ADA)).not.toBeNull()
  })

  it('another memory may be used inside the callback', async () => {
    const memory = await ground.open()
    const other = await ground.open()
    await memory.unitOfWork(async (unit) => {
      await unit.users.create({ id: ADA })
      await other.users.create({ id: 'bob' })
    })
    expect(await other.users.get('bob')).not.toBeNull()
    expect(await memory.users.get('bob')).toBeNull()
  })

  it('what the callback left running may use the memory once the unit has ended', async () => {
    const memory = await ground.open()
    const ended = gate()
    let later: Promise<unknown> = Promise.resolve()
    await memory.unitOfWork(async (unit) => {
      await unit.users.create({ id: ADA })
      later = ended.opened.then(() => memory.users.create({ id: 'bob' }))
    })
    ended.open()
    await later
    expect(await memory.users.get('bob')).not.toBeNull()
  })
}

function itRefusesTheOuterUnit(ground: Ground): void {
  it("the outer unit used inside a nested unit's callback throws and never hangs", async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (outer) => {
      await talk(outer, 'c', ['a'])
      await outer.unitOfWork(async (inner) => {
        for (const [, call] of CALLS) await refused(() => call(outer), 'validation', 'unitOfWork')
        await inner.messages.append('c', says('b'))
      })
      await outer.messages.append('c', says('c'))
    })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['a', 'b', 'c'])
    expect(await memory.users.get('eve')).toBeNull()
  })
}

function itRefusesEndedUnits(ground: Ground): void {
  const kept = async (memory: Memory, fails: boolean): Promise<UnitOfWork> => {
    let leaked: UnitOfWork | undefined
    await memory
      .unitOfWork(async (unit) => {
        leaked = unit
        await talk(unit, 'c', ['a'])
        if (fails) throw new Error('undo')
      })
      .catch(() => {})
    return leaked as UnitOfWork
  }

  it('a unit used after its callback ended is closed', async () => {
    const memory = await ground.open()
    for (const fails of [false, true]) {
      const unit = await kept(memory, fails)
      for (const [, call] of CALLS) await refused(() => call(unit), 'closed')
    }
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['a'])
    expect(await memory.users.get('eve')).toBeNull()
  })

  it('so is an inner unit after its own end, while the outer one goes on', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (outer) => {
      await talk(outer, 'c', ['a'])
      let leaked: UnitOfWork | undefined
      await outer.unitOfWork(async (inner) => {
        leaked = inner
      })
      for (const [, call] of CALLS) await refused(() => call(leaked as UnitOfWork), 'closed')
      await outer.messages.append('c', says('b'))
    })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['a', 'b'])
  })
}

function itCatchesForgottenAwaits(ground: Ground): void {
  const scenarios: readonly [string, (unit: UnitOfWork) => readonly Promise<unknown>[]][] = [
    ['one write', (unit) => [unit.users.create({ id: 'eve' })]],
    ['several writes', (unit) => ['eve', 'f', 'g'].map((id) => unit.users.create({ id }))],
    [
      'a nested unit',
      (unit) => [
        unit.unitOfWork(async (inner) => {
          await inner.users.create({ id: 'eve' })
          await pause(5)
          await inner.users.create({ id: 'f' })
        }),
      ],
    ],
  ]
  for (const [name, begin] of scenarios)
    it(`a forgotten await (${name}) is part of the unit, or the unit fails`, async () => {
      const memory = await ground.open()
      let forgotten: readonly Promise<unknown>[] = []
      const error = await failure(
        memory.unitOfWork(async (unit) => {
          await unit.users.create({ id: ADA })
          forgotten = begin(unit)
          for (const promise of forgotten) promise.catch(() => {})
        }),
      )
      const settled = await Promise.allSettled(forgotten)
      const users = (await memory.users.list()).items.map((user) => user.id)
      if (error === null) {
        expect(settled.every((s) => s.status === 'fulfilled')).toBe(true)
        expect(users).toEqual(
          name === 'one write' ? [ADA, 'eve'] : name === 'a nested unit' ? [ADA, 'eve', 'f'] : [ADA, 'eve', 'f', 'g'],
        )
      } else {
        expect(users).toEqual([])
      }
    })

  it('a forgotten call that fails leaves the unit whole or undone, never in between', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('a', { id: 'm' })])
    let forgotten: Promise<unknown> = Promise.resolve()
    const error = await failure(
      memory.unitOfWork(async (unit) => {
        await unit.messages.append('c', says('b'))
        forgotten = unit.messages.append('c', [says('no'), says('no', { id: 'm' })])
        forgotten.catch(() => {})
      }),
    )
    expect(await failure(forgotten)).not.toBeNull()
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(error === null ? ['a', 'b'] : ['a'])
  })
}
