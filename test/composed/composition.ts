import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { inject, onTestFinished } from 'vitest'
import type { MemoryOptions } from '../../src/contract/composition.js'
import { createMemory, type Memory } from '../../src/index.js'
import { freshDatabase } from '../postgresql/support/databases.js'

/** Length of the vectors that the records of these tests bring. */
export const DIMENSIONS = 8

/** A vector of its own for each number, of length 1. */
export function vectorOf(n: number): number[] {
  const vector = Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(n * 12.9898 + i * 78.233))
  const length = Math.hypot(...vector)
  return vector.map((value) => Math.fround(value / length))
}

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'bruno-memory-composed-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Primaries of their own, by name. */
export const PRIMARIES: Readonly<Record<string, () => Promise<string>>> = {
  sqlite: async () => `sqlite:${join(folder(), 'memory.db')}`,
  postgresql: () => freshDatabase(),
}

const name = (): string => `t${v7().replaceAll('-', '')}`

/** Followers of their own, by name. */
export const SEMANTIC: Readonly<Record<string, () => string>> = {
  qdrant: () => `${inject('servers').QDRANT_URL.replace(/^http/, 'qdrant')}/${name()}`,
  chromadb: () => `${inject('servers').CHROMA_URL.replace(/^http/, 'chroma')}/${name()}`,
}

export const cacheUrl = (): string => `${inject('servers').REDIS_URL}?prefix=${name()}`

/** An open memory, which is closed with its test. */
export async function opened(options: MemoryOptions): Promise<Memory> {
  const memory = createMemory({ embeddingDimensions: DIMENSIONS, ...options })
  onTestFinished(() => memory.close())
  await memory.connect()
  return memory
}
