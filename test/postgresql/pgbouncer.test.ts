import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { describeUnits } from '../conformance/index.js'
import { startPgbouncer } from '../ground/pgbouncer.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'

// Two server connections for all clients, another one for each transaction: whatever belongs to a session shows.
let pooler: Awaited<ReturnType<typeof startPgbouncer>>
beforeAll(async () => {
  pooler = await startPgbouncer(inject('servers').POSTGRESQL_URL, { poolSize: 2 })
})
afterAll(async () => {
  await pooler.stop()
  await leaveServer()
})

async function pooledDatabase(): Promise<string> {
  const url = new URL(pooler.url)
  url.pathname = new URL(await freshDatabase()).pathname
  return url.href
}

const opened = new Map<Memory, string>()
function open(connectionString: string, options: object = {}): Memory {
  const memory = createBackend('postgresql', { connectionString, prepare: false, poolSize: 4, ...options })
  opened.set(memory, connectionString)
  return memory
}
async function dispose(): Promise<void> {
  await Promise.all([...opened.keys()].map((memory) => memory.close()))
  opened.clear()
  await returnDatabases()
}

const harness = {
  name: 'postgresql through PgBouncer',
  create: async (options: object) => open(await pooledDatabase(), options),
  reopen: async (memory: Memory, options: object) => open(opened.get(memory) ?? '', options),
  dispose,
  lacks: ['vectorSearch', 'events', 'rateLimits'] as const,
  withoutVectors: 'the server of the tests has no pgvector',
}
describeUnits(harness)

describe('through PgBouncer', () => {
  afterEach(dispose)

  test('many memories share few connections, and lose nothing', async () => {
    const url = await pooledDatabase()
    const memories = Array.from({ length: 6 }, () => open(url))
    await memories[0]?.conversations.create({ id: 'c', userId: 'ada' })
    await Promise.all(
      memories.flatMap((memory, i) =>
        Array.from({ length: 20 }, (_, j) =>
          j % 4 === 0
            ? memory.unitOfWork(async (unit) => {
                await unit.messages.append('c', { role: 'user', content: `${i} ${j}` })
                await unit.memories.add({ userId: 'ada', content: `${i} ${j}` })
              })
            : memory.messages.append('c', { role: 'user', content: `${i} ${j}` }),
        ),
      ),
    )
    expect(await memories[1]?.statistics()).toMatchObject({ messages: 120, memories: 30 })
  })
})
