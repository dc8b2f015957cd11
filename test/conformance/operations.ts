import { expect, it } from 'vitest'
import type { Memory, UnitOfWork } from '../../src/contract/memory.js'
import { DAY } from '../support/clock.js'
import { failure, refused } from './expecting.js'
import { ADA, contentsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeOperations(harness: Harness): void {
  suite(harness, 'operations: units', ['atomicUnit', 'users', 'conversations', 'messages', 'memories'], (ground) => {
    itRunsOnce(ground)
    itComparesFingerprints(ground)
    itSerialisesDuplicates(ground)
    itForgets(ground)
  })
}

/** Counts how often its callback really ran. */
function counted<T>(memory: Pick<Memory, 'unitOfWork'>, work: (unit: UnitOfWork) => Promise<T>) {
  let runs = 0
  const run = (operationId: string, fingerprint?: string) =>
    memory.unitOfWork(
      (unit) => {
        runs++
        return work(unit)
      },
      { operationId, fingerprint },
    )
  return { run, runs: () => runs }
}

function itRunsOnce(ground: Ground): void {
  it('a known id does not run the callback again and answers what the first run answered', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async (unit) => {
      const [message] = await talk(unit, 'c', ['once'])
      return {
        message,
        at: new Date(1234),
        list: [1, null, 'x', { at: new Date(0) }],
        nothing: null,
        float: 0.1,
        yes: true,
      }
    })
    const first = await operation.run('op')
    ground.clock.advance(1000)
    const second = await operation.run('op')
    expect(operation.runs()).toBe(1)
    expect(second).toEqual(first)
    expect(second).toMatchObject({ at: new Date(1234), message: { createdAt: expect.any(Date) } })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['once'])
  })

  it('data that looks like a stored date, or like the way one is stored, stays what it was', async () => {
    const memory = await ground.open()
    const iso = '2020-01-02T03:04:05.678Z'
    const result = {
      iso,
      number: 1577934245678,
      tagged: [
        { $date: iso },
        { $date: 1 },
        { __date: iso },
        { date: iso },
        { type: 'Date', value: iso },
        ['Date', iso],
      ],
      keys: { '': 1, __proto__x: 2, constructor: 3, 'a.b': 4, $: 5, '~': 6, '\\': 7 },
      real: new Date(iso),
    }
    const operation = counted(memory, async () => result)
    await operation.run('op')
    expect(await operation.run('op')).toEqual(result)
    expect(operation.runs()).toBe(1)
  })

  it('falsy and empty results are results', async () => {
    const memory = await ground.open()
    for (const [i, result] of [null, false, 0, '', [], {}].entries()) {
      const operation = counted(memory, async () => result)
      await operation.run(`op${i}`)
      expect(await operation.run(`op${i}`)).toEqual(result)
      expect(operation.runs()).toBe(1)
    }
    const silent = counted(memory, async (unit) => void (await unit.users.create({ id: ADA })))
    await silent.run('silent')
    await silent.run('silent')
    expect(silent.runs()).toBe(1)
  })

  it('an operation without writes is remembered as well', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async (unit) => unit.users.get('nobody'))
    expect(await operation.run('op')).toBeNull()
    await memory.users.create({ id: 'nobody' })
    expect(await operation.run('op')).toBeNull()
    expect(operation.runs()).toBe(1)
  })

  it('is remembered per tenant', async () => {
    const memory = await ground.open()
    const [a, b] = ['a', 'b'].map((tenantId) => counted(memory.forTenant(tenantId), async (unit) => unit.tenantId))
    expect(await a?.run('op')).toBe('a')
    expect(await b?.run('op')).toBe('b')
    expect([a?.runs(), b?.runs()]).toEqual([1, 1])
  })

  it('a failure of the first run leaves the id free', async () => {
    const memory = await ground.open()
    let fails = true
    const operation = counted(memory, async (unit) => {
      await talk(unit, 'c', ['tried'])
      if (fails) throw new Error('not yet')
      return 'done'
    })
    expect(await failure(operation.run('op'))).toBeInstanceOf(Error)
    expect((await memory.messages.list('c')).items).toEqual([])
    fails = false
    expect(await operation.run('op')).toBe('done')
    expect(await operation.run('op')).toBe('done')
    expect(operation.runs()).toBe(2)
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['tried'])
  })

  it('a result too large to keep is answered by a receipt with the keys of what its verbs answered', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async (unit) => {
      await talk(unit, 'c', [says('a', { id: 'm1' }), says('b', { id: 'm2' })])
      await unit.memories.add({ id: 'e', userId: ADA, content: 'x' })
      return 'x'.repeat(70_000)
    })
    expect(await operation.run('op')).toHaveLength(70_000)
    const receipt = await operation.run('op')
    expect(operation.runs()).toBe(1)
    expect(receipt).toMatchObject({ operationId: 'op' })
    const { records } = receipt as Exclude<typeof receipt, string>
    for (const [kind, key] of [
      ['message', ['c', 'm1']],
      ['message', ['c', 'm2']],
      ['memory', ['e']],
    ])
      expect(records).toContainEqual({ kind, key })
  })

  it('a result just below 64 KB comes back whole', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async () => 'x'.repeat(60_000))
    await operation.run('op')
    expect(await operation.run('op')).toBe('x'.repeat(60_000))
  })
}

function itComparesFingerprints(ground: Ground): void {
  it('the same id with another fingerprint is a conflict; with the same it is answered', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async (unit) => (await unit.users.create({ id: ADA })).id)
    expect(await operation.run('op', 'print')).toBe(ADA)
    await refused(operation.run('op', 'other'), 'conflict')
    expect(await operation.run('op', 'print')).toBe(ADA)
    expect(operation.runs()).toBe(1)
  })

  it('refuses an operation id that no key could hold, before the callback runs', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async () => 1)
    for (const bad of ['', 'x'.repeat(256), '\u20ac'.repeat(86), 'a\0b', '\ud800'])
      await refused(operation.run(bad), 'validation', /operationId$/)
    expect(operation.runs()).toBe(0)
  })
}

function itSerialisesDuplicates(ground: Ground): void {
  it('concurrent duplicates run once and all answer the same', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async (unit) => (await talk(unit, 'c', ['once']))[0])
    const answers = await Promise.all(Array.from({ length: 10 }, () => operation.run('op')))
    expect(operation.runs()).toBe(1)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })

  it('when the first of concurrent duplicates fails, another of them runs', async () => {
    const memory = await ground.open()
    let runs = 0
    const run = () =>
      memory.unitOfWork(
        async (unit) => {
          const mine = ++runs
          await talk(unit, 'c', [`run ${mine}`])
          if (mine === 1) throw new Error('the first fails')
          return mine
        },
        { operationId: 'op' },
      )
    const settled = await Promise.allSettled([run(), run(), run()])
    expect(settled.filter((s) => s.status === 'rejected')).toHaveLength(1)
    expect(settled.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []))).toEqual([2, 2])
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['run 2'])
  })

  ground.shared('another instance knows the operation, also while it runs', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    const here = counted(memory, async (unit) => (await talk(unit, 'c', ['once']))[0])
    const there = counted(second, async (unit) => (await talk(unit, 'c', ['once']))[0])
    const answers = await Promise.all([here.run('op'), there.run('op'), here.run('op'), there.run('op')])
    expect(here.runs() + there.runs()).toBe(1)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect((await second.messages.list('c')).items).toHaveLength(1)
  })
}

function itForgets(ground: Ground): void {
  it('an operation is kept for seven days by the clock', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async (unit) => (await talk(unit, 'c', ['again']))[0]?.position)
    await operation.run('op')
    ground.clock.advance(7 * DAY - 1)
    await operation.run('op')
    expect(operation.runs()).toBe(1)
    ground.clock.advance(1)
    await operation.run('op')
    expect(operation.runs()).toBe(2)
    expect((await memory.messages.list('c')).items).toHaveLength(2)
  })

  it('a purge removes what is no longer kept, and counts it', async () => {
    const memory = await ground.open()
    const operation = counted(memory, async () => 1)
    for (const id of ['a', 'b']) await operation.run(id)
    ground.clock.advance(DAY)
    await operation.run('c')
    expect((await memory.purgeExpired()).operations).toBe(0)
    ground.clock.advance(6 * DAY)
    expect((await memory.purgeExpired()).operations).toBe(2)
    await operation.run('c')
    expect(operation.runs()).toBe(3)
  })
}
