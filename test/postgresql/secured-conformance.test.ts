import { afterAll, inject } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { describeBackend } from '../conformance/index.js'
import { leaveServer, returnDatabases } from './support/databases.js'
import { dropRole, type SecuredDatabase, securedDatabase } from './support/secured.js'

const opened = new Map<Memory, SecuredDatabase>()

function at(database: SecuredDatabase, options: object): Memory {
  const memory = createBackend('postgresql', { ...database, rowLevelSecurity: true, poolSize: 4, ...options })
  opened.set(memory, database)
  return memory
}

afterAll(async () => {
  await leaveServer()
  await dropRole(inject('servers').POSTGRESQL_URL)
})

describeBackend({
  name: 'postgresql under row-level security',
  create: async (options) => at(await securedDatabase(), options),
  reopen: async (memory, options) => at(opened.get(memory) as SecuredDatabase, options),
  async dispose() {
    await Promise.all([...opened.keys()].map((memory) => memory.close()))
    opened.clear()
    await returnDatabases()
  },
  lacks: ['vectorSearch', 'events', 'rateLimits'],
  withoutVectors: 'the server of the tests has no pgvector',
  deviations: { 'own-cache': 'a database is no cache' },
})
