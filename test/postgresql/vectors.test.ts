import { afterAll, beforeAll } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { describeSearch } from '../conformance/index.js'
import { startPglite } from '../ground/pglite.js'
import { empty } from './support/databases.js'

// The server of the other tests has no pgvector; PGlite brings it. It has one session, so that only one memory is open
// at a time, with one connection.
let server: Awaited<ReturnType<typeof startPglite>>
const opened: Memory[] = []
beforeAll(async () => {
  server = await startPglite()
})
afterAll(() => server.stop())

async function dispose(): Promise<void> {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
  await empty(server.url)
}

describeSearch({
  name: 'postgresql with pgvector',
  async create(options) {
    if (opened.length > 0) await dispose()
    const memory = createBackend('postgresql', { connectionString: server.url, poolSize: 1, ...options })
    opened.push(memory)
    return memory
  },
  dispose,
  lacks: ['vectorSearch', 'events', 'rateLimits'],
  deviations: { 'private-storage': 'PGlite has one session' },
})
