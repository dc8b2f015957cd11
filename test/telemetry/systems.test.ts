import { randomUUID } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createBackend, type Memory } from '../../src/index.js'
import { freshDatabase, leaveServer } from '../postgresql/support/databases.js'
import { freshPrefix, serverUrl } from '../redis/support/memories.js'
import { KINDS } from '../vector/memories.js'
import { listen, named, pointsOf, spansOf } from './support.js'

listen()
beforeEach(() => void spansOf())
afterAll(leaveServer)

const vectors = { embeddingDimensions: 2, embeddingModel: 'test' }
const OPENED: readonly (readonly [system: string, open: () => Promise<Memory>])[] = [
  ['postgresql', async () => createBackend('postgresql', { connectionString: await freshDatabase() }) as Memory],
  ['redis', async () => createBackend('redis', { url: serverUrl(), prefix: freshPrefix() }) as Memory],
  ...KINDS.map((kind) => [kind.name, async () => kind.at(`test-${randomUUID()}`, vectors)] as const),
]

describe.each(OPENED)('on %s', (system, open) => {
  test('calls are spans and durations, those of a unit its children', async () => {
    const memory = await open()
    const entry = { userId: 'u', content: 'x', vector: [1, 0] }
    const mine = system === 'qdrant' || system === 'chromadb' ? entry : { userId: 'u', content: 'x' }
    await memory.unitOfWork(async (unit) => unit.memories.addMany([mine, mine] as never))
    await expect(memory.memories.delete('unknown')).rejects.toThrow()
    await memory.close()
    const spans = spansOf()
    const [many, unit] = [named(spans, 'memories.addMany'), named(spans, 'unitOfWork')]
    expect(many.parentSpanContext?.spanId).toBe(unit.spanContext().spanId)
    expect(many.attributes).toMatchObject({ 'db.system.name': system, 'db.operation.batch.size': 2 })
    expect(named(spans, 'memories.delete').attributes['error.type']).toBe('not-found')
    const namespace = unit.attributes['db.namespace']
    if (system === 'postgresql') expect(namespace).toMatch(/^bruno_test_/)
    const told = (await pointsOf()).map(({ attributes }) => attributes)
    expect(told.map((attributes) => attributes['db.operation.name']).sort()).toEqual([
      'memories.addMany',
      'memories.delete',
      'unitOfWork',
    ])
    expect(told.every((attributes) => attributes['db.namespace'] === namespace)).toBe(true)
  })
})
