import { expect, it } from 'vitest'
import type { MemoryEvent } from '../../src/contract/events.js'
import type { TenantMemory } from '../../src/contract/memory.js'
import { eventually } from '../support/eventually.js'
import { create, Heard, silence } from './events-fixtures.js'
import { numbered, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

/** Events that wait for whoever handles them, at least once. */
export function describeEventConsumers(harness: Harness): void {
  suite(harness, 'events: consumers', ['events', 'users', 'messages'], (ground) => {
    itHandsOut(ground)
    itShares(ground)
    itTriesAgain(ground)
    itGoesOn(ground)
  })
}

const created = (heard: Heard): string[] => heard.keys('user.created')
/** Consumers may begin anywhere within these. */
const IDS = numbered(10, 'u')

async function consuming(memory: TenantMemory, name: string, from: 'oldest' | 'now' = 'oldest'): Promise<Heard> {
  const heard = new Heard()
  await memory.events.consume(name, heard.take, { from }).ready
  return heard
}

const until = (ground: Ground, heard: Heard, count: number): Promise<void> =>
  eventually(ground.clock, () => created(heard).length >= count)

function itHandsOut(ground: Ground): void {
  it('a consumer that was never seen begins with the oldest event kept, and has them in order', async () => {
    const memory = await ground.open()
    await create(memory, IDS)
    const heard = await consuming(memory, 'indexer')
    await create(memory, ['later'])
    await until(ground, heard, 11)
    expect(created(heard)).toEqual([...IDS, 'later'])
  })

  it('or with the next one, if it says so', async () => {
    const memory = await ground.open()
    await create(memory, IDS)
    const heard = await consuming(memory, 'indexer', 'now')
    await create(memory, ['later', 'last'])
    await until(ground, heard, 2)
    await silence()
    expect(created(heard)).toEqual(['later', 'last'])
  })

  it('has the types that it asks for alone, and events as listeners have them', async () => {
    const memory = (await ground.open()).forTenant('acme')
    await talk(memory, 'c', [says('secret', { id: 'a' }), says('secret', { id: 'b' })])
    const heard = new Heard()
    await memory.events.consume('indexer', heard.take, { types: ['message.appended'] }).ready
    await create(memory, ['other'])
    await talk(memory, 'c', [says('secret', { id: 'd' })])
    await eventually(ground.clock, () => heard.events.length >= 2)
    await silence()
    expect(heard.events.map(({ type, tenantId, key, count }) => [type, tenantId, ...key, count])).toEqual([
      ['message.appended', 'acme', 'c', 'b', 2],
      ['message.appended', 'acme', 'c', 'd', 1],
    ])
    expect(JSON.stringify(heard.events)).not.toContain('secret')
    expect(heard.events.every(({ at }) => at instanceof Date)).toBe(true)
  })

  it('consumers of one name in two tenants are two, and have their own tenant’s events', async () => {
    const memory = await ground.open()
    const [a, b] = [memory.forTenant('a'), memory.forTenant('a:')]
    const [ofA, ofB] = [await consuming(a, 'x'), await consuming(b, 'x')]
    await create(a, ['in a'])
    await create(b, ['in b'])
    await Promise.all([until(ground, ofA, 1), until(ground, ofB, 1)])
    await silence()
    expect([created(ofA), created(ofB)]).toEqual([['in a'], ['in b']])
  })
}

function itShares(ground: Ground): void {
  it('two under one name share the events: each goes to one of them', async () => {
    const memory = await ground.open()
    const [one, other] = [await consuming(memory, 'shared'), await consuming(memory, 'shared')]
    const ids = numbered(40, 'u')
    await create(memory, ids)
    await eventually(ground.clock, () => created(one).length + created(other).length >= 40)
    await silence()
    expect([...created(one), ...created(other)].sort()).toEqual([...ids].sort())
    for (const heard of [one, other]) expect(created(heard)).toEqual(ids.filter((id) => created(heard).includes(id)))
  })

  ground.shared('also from two instances', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    const [one, other] = [await consuming(memory, 'shared'), await consuming(second, 'shared')]
    const ids = numbered(40, 'u')
    await create(memory, ids)
    await eventually(ground.clock, () => created(one).length + created(other).length >= 40)
    await silence()
    expect([...created(one), ...created(other)].sort()).toEqual([...ids].sort())
  })

  it('two names have every event each', async () => {
    const memory = await ground.open()
    const [one, other] = [await consuming(memory, 'one'), await consuming(memory, 'one:')]
    await create(memory, IDS)
    await Promise.all([until(ground, one, 10), until(ground, other, 10)])
    await silence()
    expect([created(one), created(other)]).toEqual([IDS, IDS])
  })
}

function itTriesAgain(ground: Ground): void {
  it('an event whose handler fails comes again, and is told as failed; one that succeeded does not', async () => {
    const memory = await ground.open()
    const tries = new Map<string, number>()
    const failed: (readonly [error: unknown, event: MemoryEvent])[] = []
    const handler = async ({ key: [id = ''] }: MemoryEvent): Promise<void> => {
      const nth = (tries.get(id) ?? 0) + 1
      tries.set(id, nth)
      if (id === 'hard' && nth < 3) throw new Error(`not yet: ${nth}`)
    }
    const onError = (error: unknown, event: MemoryEvent) => failed.push([error, event])
    const options = { retryAfter: 100, types: ['user.created'], onError } as const
    await memory.events.consume('worker', handler, options).ready
    await create(memory, ['easy', 'hard', 'last'])
    await eventually(ground.clock, () => (tries.get('hard') ?? 0) >= 3 && tries.has('last'))
    await silence()
    await silence()
    expect(Object.fromEntries(tries)).toEqual({ easy: 1, hard: 3, last: 1 })
    expect(failed.map(([error, { key }]) => [(error as Error).message, ...key])).toEqual([
      ['not yet: 1', 'hard'],
      ['not yet: 2', 'hard'],
    ])
  })

  it('a handler that throws at once, without anybody to be told, ends nothing', async () => {
    const memory = await ground.open()
    const heard = new Heard()
    let thrown = 0
    const handler = (event: MemoryEvent): void => {
      if (thrown++ === 0) throw new Error('at once')
      heard.take(event)
    }
    await memory.events.consume('worker', handler, { retryAfter: 100, types: ['user.created'] }).ready
    await create(memory, ['a', 'b'])
    await until(ground, heard, 2)
    expect(created(heard).sort()).toEqual(['a', 'b'])
  })
}

function itGoesOn(ground: Ground): void {
  it('whoever was away goes on where it was, under the same name', async () => {
    const memory = await ground.open()
    const first = new Heard()
    const subscription = memory.events.consume('indexer', first.take)
    await subscription.ready
    await create(memory, ['a', 'b'])
    await until(ground, first, 2)
    // What was finished is known as finished only a moment after its handler.
    await silence()
    await subscription.close()
    await create(memory, ['c', 'd'])
    await silence()
    expect(created(first)).toEqual(['a', 'b'])
    const second = await consuming(memory, 'indexer')
    await until(ground, second, 2)
    await silence()
    expect(created(second)).toEqual(['c', 'd'])
  })

  ground.shared('also in another instance, with what the first one left undone', async () => {
    const memory = await ground.open()
    const dying = await ground.reopen(memory)
    const tried: string[] = []
    const handler = ({ key: [id = ''] }: MemoryEvent): void => {
      tried.push(id)
      if (id === 'b') throw new Error('never')
    }
    const options = { retryAfter: 200, types: ['user.created'] } as const
    await dying.events.consume('indexer', handler, options).ready
    await create(memory, ['a', 'b'])
    await eventually(ground.clock, () => tried.includes('a') && tried.includes('b'))
    await silence()
    await dying.close()
    await create(memory, ['c'])
    const second = new Heard()
    const survivor = await ground.reopen(memory)
    await survivor.events.consume('indexer', second.take, options).ready
    await until(ground, second, 2)
    await silence()
    expect(created(second).sort()).toEqual(['b', 'c'])
  })
}
