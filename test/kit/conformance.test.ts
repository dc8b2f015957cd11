import { createBackend, type Memory } from '../../src/index.js'
import { describeBackend } from '../conformance/index.js'
import { registerInMemory } from './in-memory/index.js'

registerInMemory()

let made = 0
const opened = new Map<Memory, string>()

function at(storeName: string, options: object): Memory {
  const memory = createBackend('in-memory', { storeName, ...options })
  opened.set(memory, storeName)
  return memory
}

describeBackend({
  name: 'in-memory',
  create: async (options) => at(`store ${++made}`, options),
  reopen: async (memory, options) => at(opened.get(memory) ?? '', options),
  async dispose() {
    await Promise.all([...opened.keys()].map((memory) => memory.close()))
    opened.clear()
  },
  lacks: ['documents', 'textSearch', 'vectorSearch', 'events', 'rateLimits'],
  withoutVectors: 'it keeps no vectors',
})
