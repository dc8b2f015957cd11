import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { createBackend } from '../../../src/backend.js'
import type { Memory } from '../../../src/contract/memory.js'
import type { RedisOptions } from '../../../src/contract/options.js'

/** The server of the test run. */
export const serverUrl = (): string => {
  const { REDIS_URL } = inject('servers')
  if (!REDIS_URL) throw new Error('no Redis server: npm test starts one, or set REDIS_URL')
  return REDIS_URL
}

/** Keys under it are nobody else's. */
export const freshPrefix = (): string => `test ${randomUUID()}`

/** Memories of one test file, closed together. */
export function memories(options: () => Partial<RedisOptions> = () => ({ url: serverUrl() })) {
  const opened = new Map<Memory, string>()
  const at = (prefix: string, more: Partial<RedisOptions>): Memory => {
    const memory = createBackend('redis', { ...options(), prefix, ...more }) as Memory
    opened.set(memory, prefix)
    return memory
  }
  return {
    create: (more: Partial<RedisOptions> = {}): Memory => at(more.prefix ?? freshPrefix(), more),
    reopen: (memory: Memory, more: Partial<RedisOptions> = {}): Memory => at(opened.get(memory) ?? '', more),
    async dispose(): Promise<void> {
      await Promise.all([...opened.keys()].map((memory) => memory.close()))
      opened.clear()
    },
  }
}
