/** A process of little power or room, which tries to use a memory and says how each attempt ended. */
import { readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { createBackend } from '../../../src/backend.js'
import type { Memory } from '../../../src/contract/memory.js'
import type { Attempt } from './faults.js'

const [scenario = '', databasePath = '', filler = ''] = process.argv.slice(2)
const attempts: Attempt[] = []
const says = (content: string, id?: string) => ({ role: 'user' as const, content, id })

async function attempt<T>(step: string, work: () => Promise<T>, answer: (result: T) => unknown = () => null) {
  try {
    attempts.push({ step, ok: true, answer: answer(await work()) })
  } catch (error) {
    const { name, message, code, retryable } = error as Error & { code?: string; retryable?: boolean }
    attempts.push({ step, ok: false, name, message, code, retryable, shown: inspect(error, { depth: 10 }) })
  }
}

/** What a user without rights sees of a file or a folder that is not theirs. */
async function permissions(): Promise<void> {
  // Every module is loaded while this process may still read them.
  const first = createBackend('sqlite::memory:')
  await first.connect()
  await first.search({ text: 'nothing' })
  await first.close()
  if (process.getuid?.() === 0) {
    process.setgroups?.([])
    process.setgid?.(65534)
    process.setuid?.(65534)
  }
  const memory = createBackend('sqlite', { databasePath })
  await attempt('open', () => memory.connect())
  await attempt(
    'read',
    () => memory.messages.list('c'),
    (page) => page.items.map((message) => message.id),
  )
  await attempt('write', () => memory.messages.append('c', says('MARKER', 'written'), { userId: 'ada' }))
  await memory.close()
}

const bytes = (n: number): string => `MARKER ${'x'.repeat(n)}`
const numbers = Array.from({ length: 20 }, (_, i) => i)

/** Writes of every kind while there is no room. */
async function writes(memory: Memory): Promise<void> {
  await Promise.all(
    numbers.map((i) => attempt(`single ${i}`, () => memory.messages.append('c', says(bytes(20_000), `single-${i}`)))),
  )
  const batch = numbers.map((i) => says(bytes(20_000), `batch-${i}`))
  await attempt('batch', () => memory.messages.append('c', batch))
  await attempt('unit', () =>
    memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', says('MARKER small', 'unit-small'))
      await unit.messages.append('c', says(bytes(400_000), 'unit-big'))
    }),
  )
  await attempt('memory', () => memory.memories.add({ userId: 'ada', content: bytes(400_000), id: 'kept' }))
  await attempt('document', () => memory.documents.upsert({ namespace: 'n', id: 'd', content: bytes(400_000) }))
}

/** Nothing is left on the disk that holds the database, then there is again. */
async function full(): Promise<void> {
  const memory = createBackend('sqlite', { databasePath })
  await memory.messages.append('c', says('first', 'first'), { userId: 'ada' })
  let size = 2 * 1024 * 1024
  for (let text = Buffer.alloc(size); size > 0; size >>= 1)
    try {
      writeFileSync(filler, text.subarray(0, size), { flag: 'a' })
      size <<= 1
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      text = text.subarray(0, size)
    }
  await writes(memory)
  await attempt(
    'read',
    () => memory.messages.list('c', { first: 1 }),
    (page) => page.items.map((message) => message.id),
  )
  rmSync(filler)
  await attempt('again', () => memory.messages.append('c', says('room again', 'again')))
  await memory.close()
  attempts.push({ step: 'file', ok: true, answer: readFileSync(databasePath).toString('base64') })
}

/** The files of this process may not grow past a limit, which the parent has set. */
async function limited(): Promise<void> {
  const memory = createBackend('sqlite', { databasePath })
  await memory.messages.append('c', says('first', 'first'), { userId: 'ada' })
  await writes(memory)
  await attempt(
    'read',
    () => memory.messages.list('c', { first: 1 }),
    (page) => page.items.map((message) => message.id),
  )
  await memory.close()
}

await { permissions, full, limited }[scenario as 'full']()
writeSync(1, JSON.stringify(attempts))
