import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import type { Memory } from '../../src/contract/memory.js'
import { fileOf } from './support.js'

/** A file that the real package made; how is said in samples/README.md. */
export const sample = (name: string): string => fileURLToPath(new URL(`./samples/${name}`, import.meta.url))

/** An SQLite file changed by these statements, by default an empty one. */
export async function databaseOf(folder: string, sql: string, from?: string): Promise<string> {
  const path = await fileOf(folder, from === undefined ? '' : await readFile(sample(from)))
  const client = new Database(path)
  client.exec(sql)
  client.close()
  return path
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Conversations, messages and memories of the default tenant. */
export async function contentsOf(memory: Memory): Promise<unknown> {
  const conversations = await all(memory.conversations.each())
  const messages = await Promise.all(conversations.map(({ id }) => all(memory.messages.each(id))))
  return { conversations, messages, memories: await all(memory.memories.each()) }
}
