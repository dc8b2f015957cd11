import { afterAll } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { describeBackend } from '../conformance/index.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'

const opened = new Map<Memory, string>()

function at(connectionString: string, options: object): Memory {
  const memory = createBackend('postgresql', { connectionString, poolSize: 4, ...options })
  opened.set(memory, connectionString)
  return memory
}

afterAll(leaveServer)

describeBackend({
  name: 'postgresql',
  create: async (options) => at(await freshDatabase(), options),
  reopen: async (memory, options) => at(opened.get(memory) ?? '', options),
  async dispose() {
    await Promise.all([...opened.keys()].map((memory) => memory.close()))
    opened.clear()
    await returnDatabases()
  },
  lacks: ['vectorSearch', 'events', 'rateLimits'],
  withoutVectors: 'the server of the tests has no pgvector',
  deviations: { 'own-cache': 'a database is no cache' },
})
