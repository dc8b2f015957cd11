import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBackend } from '../../../src/backend.js'
import type { Memory } from '../../../src/contract/memory.js'
import type { SqliteOptions } from '../../../src/contract/options.js'

export type Rest = Partial<Omit<SqliteOptions, 'databasePath'>>

/** A folder of its own with a database file in it, and the memories opened on that file. */
export interface Store extends AsyncDisposable {
  readonly folder: string
  readonly path: string
  /** Another instance over the same file, connected. */
  open(options?: Rest): Promise<Memory>
  /** The same, not connected. */
  make(options?: Rest): Memory
}

export function freshStore(): Store {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-'))
  const path = join(folder, 'memory.db')
  const made: Memory[] = []
  const make = (options: Rest = {}): Memory => {
    const memory = createBackend('sqlite', { databasePath: path, ...options })
    made.push(memory)
    return memory
  }
  return {
    folder,
    path,
    make,
    async open(options) {
      const memory = make(options)
      await memory.connect()
      return memory
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(made.map((memory) => memory.close()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
