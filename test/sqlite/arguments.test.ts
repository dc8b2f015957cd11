import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { run } from '../../src/cli/program.js'
import { freshStore } from './support/store.js'

const quiet = { write: () => true } as unknown as NodeJS.WritableStream
async function cli(...argv: string[]): Promise<number> {
  let code = -1
  const setExitCode = (given: number) => {
    code = given
  }
  await run(argv, { stdout: quiet, stderr: quiet, env: {}, setExitCode }, '0')
  return code
}

describe('arguments', () => {
  it('of an operation are those of the call, whatever becomes of them', async () => {
    await using store = freshStore()
    const memory = await store.open()
    const message = { role: 'user' as const, content: 'original' }
    const stored = memory.messages.append('c', message, { userId: 'u', operationId: 'o' })
    message.content = 'changed'
    expect((await stored)[0]?.content).toBe('original')
  })

  it('that are null where options belong are refused by a typed error', async () => {
    await using store = freshStore()
    const memory = await store.open()
    const none = null as unknown as undefined
    const calls = [
      memory.messages.list('c', none),
      memory.search(none as never),
      memory.sweep(none),
      memory.statistics(none),
    ]
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'validation' })
  })

  it('of a filter may be a thousand values, of every kind, and a hundred conditions at most', async () => {
    await using store = freshStore()
    const memory = await store.open()
    for (const a of ['x500', 500, true, null, 'none'])
      await memory.memories.add({ userId: 'u', content: 'c', metadata: { a } })
    const texts = Array.from({ length: 499 }, (_, i) => `x${i + 2}`)
    const numbers = Array.from({ length: 499 }, (_, i) => i + 2)
    const { items } = await memory.memories.list({ metadata: { a: { in: [...texts, ...numbers, true, null] } } })
    expect(items.map((item) => item.metadata.a).sort()).toEqual([500, null, true, 'x500'].sort())
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, i]))
    await expect(memory.memories.list({ metadata: many })).rejects.toMatchObject({
      code: 'validation',
      field: 'metadata',
    })
  })

  it('that would never be answered are refused: disposing inside a unit, a timer longer than timers are', async () => {
    await using store = freshStore()
    const memory = await store.open()
    const disposed = memory.unitOfWork(async () => memory[Symbol.asyncDispose]())
    await expect(disposed).rejects.toMatchObject({ code: 'validation', field: 'unitOfWork' })
    expect(() => createBackend('sqlite', { databasePath: 'm.db', writeTimeout: 2 ** 31 })).toThrow(/writeTimeout/)
  })
})

describe('files', () => {
  it('of another program are left as they are by a check', async () => {
    await using store = freshStore()
    const other = new Database(store.path)
    other.exec('create table users (id integer)')
    other.close()
    const before = readFileSync(store.path)
    await expect(store.open({ migrate: 'check' })).rejects.toMatchObject({ code: 'migration' })
    expect(readFileSync(store.path).equals(before)).toBe(true)
  })

  it('of the memory and of the input are overwritten by no report and no archive', async () => {
    await using store = freshStore()
    await (await store.open()).messages.append('c', { role: 'user', content: 'kept' }, { userId: 'u' })
    const input = join(store.folder, 'a.jsonl')
    const line = '{"conversationId":"d","role":"user","content":"x"}\n'
    writeFileSync(input, line)
    expect(await cli('import', input, '--report', store.path, '--url', store.path)).toBe(2)
    expect(await cli('import', input, '--report', input, '--url', store.path)).toBe(2)
    expect(await cli('export', store.path, '--force', '--url', store.path)).toBe(2)
    expect(readFileSync(input, 'utf8')).toBe(line)
    expect((await (await store.open()).messages.list('c')).items[0]?.content).toBe('kept')
  })

  it('that are no regular files are not replaced by an archive', async () => {
    await using store = freshStore()
    await (await store.open()).users.create({ id: 'u' })
    expect(await cli('export', '/dev/fd/0', '--force', '--url', store.path)).not.toBe(0)
    expect(() => createBackend('sqlite:')).toThrow(/name a file or :memory:/)
  })
})
