import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { OutboxDepth } from '../../src/contract/follow.js'
import { listBackends, type Memory, registerBackend } from '../../src/index.js'
import { makeMemory } from '../../src/memory.js'
import { telemetryOf } from '../../src/telemetry/telemetry.js'
import { listen, type Point, pointsOf, sqlite } from './support.js'

listen()
beforeEach(async () => void (await pointsOf()))

const of = (points: readonly Point[], metric: string): Point[] => points.filter((point) => point.metric === metric)
const buckets = (point: Point | undefined) =>
  (point?.value as { buckets: { boundaries: number[] }; count: number; sum: number }) ?? {}

test('the duration of each call is measured, in seconds, by verb and error', async () => {
  const memory = sqlite()
  await memory.connect()
  await memory.unitOfWork(async (unit) => {
    await unit.users.create({ id: 'u' })
    await unit.users.get('u')
  })
  await memory.users.get('u')
  await memory.users.get('u')
  await expect(memory.users.create({ id: 'u' })).rejects.toThrow()
  await memory.settle()
  const points = of(await pointsOf(), 'db.client.operation.duration')
  const counts = points.map(({ attributes, value }) => [attributes, (value as { count: number }).count])
  expect(counts).toContainEqual([{ 'db.system.name': 'sqlite', 'db.operation.name': 'users.get' }, 3])
  expect(counts).toContainEqual([{ 'db.system.name': 'sqlite', 'db.operation.name': 'users.create' }, 1])
  expect(counts).toContainEqual([
    { 'db.system.name': 'sqlite', 'db.operation.name': 'users.create', 'error.type': 'conflict' },
    1,
  ])
  expect(counts.map(([attributes]) => (attributes as Point['attributes'])['db.operation.name']).sort()).toEqual([
    'settle',
    'unitOfWork',
    'users.create',
    'users.create',
    'users.get',
  ])
  expect(points[0]?.unit).toBe('s')
  expect(buckets(points[0]).buckets.boundaries).toEqual([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
  expect(buckets(points[0]).sum).toBeLessThan(5)
})

test('of a stream no duration is told, because its time is the program’s', async () => {
  const memory = sqlite()
  for await (const _ of memory.users.each());
  expect(await pointsOf()).toEqual([])
})

test('a cache’s hits and misses are counted, in a unit too', async () => {
  const memory = sqlite()
  await memory.cache.get('k')
  await memory.cache.set('k', 1)
  await memory.cache.get('k')
  await memory.unitOfWork(async (unit) => unit.cache.get('k'))
  await memory.cache.getOrLoad('k', async () => 2)
  await memory.cache.getOrLoad('other', async () => 2)
  const requests = of(await pointsOf(), 'bruno_memory.cache.requests')
  const counts = requests.map(({ attributes, value }) => [attributes.kind, attributes.hit, value])
  expect(counts.sort()).toEqual([
    ['entry', false, 2],
    ['entry', true, 3],
  ])
})

/** A memory whose backend has followers. */
function followed(outbox: () => Promise<readonly OutboxDepth[]>): Memory {
  const telemetry = telemetryOf({}, 'sqlite', undefined)
  const memory = makeMemory({
    capabilities: sqlite().capabilities,
    tenancy: 'optional',
    clock: Date.now,
    telemetry,
    load: async () => ({
      name: 'followed',
      capabilities: sqlite().capabilities,
      open: async () => undefined,
      close: async () => undefined,
      ping: async () => true,
      scope: () => ({}),
      unit: async () => Promise.reject(new Error('none')),
      outbox,
    }),
  })
  onTestFinished(() => memory.close())
  return memory
}

test('how far followers are behind is told whenever metrics are collected, until the memory is closed', async () => {
  const depths = [
    { follower: 'semantic', depth: 3, oldestAge: 1500, parked: 1 },
    { follower: 'cache', depth: 0, oldestAge: 0, parked: 0 },
  ]
  const memory = followed(async () => depths)
  await memory.connect()
  const told = async () =>
    (await pointsOf()).map(({ metric, unit, attributes, value }) => [metric, unit, attributes.follower, value])
  expect(await told()).toEqual([
    ['bruno_memory.outbox.depth', '{record}', 'semantic', 3],
    ['bruno_memory.outbox.depth', '{record}', 'cache', 0],
    ['bruno_memory.outbox.oldest_age', 's', 'semantic', 1.5],
    ['bruno_memory.outbox.oldest_age', 's', 'cache', 0],
    ['bruno_memory.outbox.parked', '{record}', 'semantic', 1],
    ['bruno_memory.outbox.parked', '{record}', 'cache', 0],
  ])
  await memory.close()
  expect(await told()).toEqual([])
})

test('an outbox that cannot be read stops no other metric', async () => {
  const memory = followed(async () => Promise.reject(new Error('away')))
  await memory.connect()
  await memory.settle()
  expect((await pointsOf()).map(({ metric }) => metric)).toEqual(['db.client.operation.duration'])
})

test('a backend is given what counts, and its own logger', async () => {
  const name = 'counting'
  if (!listBackends().includes(name))
    registerBackend(name, {
      options: [],
      capabilities: () => sqlite().capabilities,
      create: (_, { counters, logger }) => {
        counters?.count('bruno_memory.settle.effects', 2, { follower: 'semantic', outcome: 'written' })
        logger?.info('made')
        throw new Error('that was all')
      },
    })
  const { createBackend } = await import('../../src/index.js')
  const lines: string[] = []
  const say = (line: string): void => void lines.push(line)
  const memory = createBackend(name, { logger: { debug: say, info: say, warn: say, error: say } })
  await expect(memory.connect()).rejects.toThrow('that was all')
  expect(lines).toEqual(['made'])
  expect(of(await pointsOf(), 'bruno_memory.settle.effects')).toMatchObject([
    { value: 2, attributes: { follower: 'semantic', outcome: 'written' } },
  ])
})
