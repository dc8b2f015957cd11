import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { describeBackend } from '../conformance/index.js'

const opened = new Map<Memory, string>()
const folders: string[] = []

function at(databasePath: string, options: object): Memory {
  const memory = createBackend('sqlite', { databasePath, ...options })
  opened.set(memory, databasePath)
  return memory
}

async function dispose(): Promise<void> {
  await Promise.all([...opened.keys()].map((memory) => memory.close()))
  opened.clear()
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })))
}

describeBackend({
  name: 'sqlite, a file',
  async create(options) {
    const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-'))
    folders.push(folder)
    return at(join(folder, 'memory.db'), options)
  },
  reopen: async (memory, options) => at(opened.get(memory) ?? '', options),
  dispose,
  lacks: ['vectorSearch', 'events', 'rateLimits'],
  deviations: { 'own-cache': 'a database is no cache' },
})

describeBackend({
  name: 'sqlite, :memory:',
  create: async (options) => at(':memory:', options),
  dispose,
  lacks: ['vectorSearch', 'events', 'rateLimits'],
  deviations: {
    'private-storage': 'a :memory: database belongs to its connection',
    'own-cache': 'a database is no cache',
  },
})
