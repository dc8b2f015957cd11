import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { freshDatabase, leaveServer, returnDatabases } from '../postgresql/support/databases.js'

const folders: string[] = []
const opened: Memory[] = []

const ENGINES = {
  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bruno-erase-'))
    folders.push(folder)
    return `sqlite:${join(folder, 'memory.db')}`
  },
  postgresql: freshDatabase,
  redis: async () => `${inject('servers').REDIS_URL}?prefix=erase-${Math.random().toString(36).slice(2)}`,
} as const

export type EngineName = keyof typeof ENGINES
export const SQL_ENGINES = ['sqlite', 'postgresql'] as const
export const ALL_ENGINES = ['sqlite', 'postgresql', 'redis'] as const

export const freshUrl = (name: EngineName): Promise<string> => ENGINES[name]()

export function open(url: string, options: object = {}): Memory {
  const memory = createBackend(url, options)
  opened.push(memory)
  return memory
}

export async function freshMemory(name: EngineName, options: object = {}): Promise<Memory> {
  return open(await freshUrl(name), options)
}

/** Closes everything that a test opened. */
export async function dispose(): Promise<void> {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
  await returnDatabases()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

export { leaveServer }

/** Conversations whose count is not that of their messages. */
export async function miscounted(memory: Memory, tenantId: string): Promise<string[]> {
  const wrong: string[] = []
  const tenant = memory.forTenant(tenantId)
  for await (const { id, messageCount, lastPosition } of tenant.conversations.each()) {
    const positions: number[] = []
    for await (const { position } of tenant.messages.each(id)) positions.push(position)
    if (positions.length !== messageCount || Math.max(0, ...positions) > lastPosition) wrong.push(id)
  }
  return wrong
}
