import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { BrunoMemoryError, ConfigurationError, ConnectionError, StorageError } from '../../src/errors.js'
import { seeded } from '../support/random.js'
import { type BuiltChild, buildChild } from './support/child.js'
import { type Attempt, asNobody, canMount, damage, onSmallDisk, storedIds, withFileLimit } from './support/faults.js'
import { freshStore, type Store } from './support/store.js'

let child: BuiltChild
beforeAll(async () => {
  child = await buildChild('fault-child.ts')
})
afterAll(() => child[Symbol.dispose]())

/** Tries to open, which must fail, and answers the error; the file and its folder stay as they are. */
async function refusal(path: string): Promise<BrunoMemoryError> {
  const content = (): string | null => {
    try {
      return readFileSync(path).toString('base64')
    } catch {
      return null
    }
  }
  const folder = dirname(path)
  const files = (): string[] | null =>
    statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : null
  const before = [content(), files()]
  const memory = createBackend('sqlite', { databasePath: path })
  const error: unknown = await memory.connect().catch((reason) => reason)
  expect(await memory.healthCheck()).toBe(false)
  // Every later call says the same, and closing is no error.
  await expect(memory.messages.list('c')).rejects.toThrow((error as Error).message)
  await memory.close()
  expect([content(), files()]).toEqual(before)
  expect(error).toBeInstanceOf(BrunoMemoryError)
  return error as BrunoMemoryError
}

async function filled(store: Store): Promise<Buffer> {
  const memory = store.make()
  const batch = Array.from({ length: 200 }, (_, i) => ({ role: 'user' as const, content: `n${i} ${'x'.repeat(500)}` }))
  await memory.messages.append('c', batch, { userId: 'ada' })
  await memory.close()
  return readFileSync(store.path)
}

describe('a path that cannot be a database', () => {
  test('a folder is named as one', async () => {
    await using store = freshStore()
    mkdirSync(store.path)
    const error = await refusal(store.path)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toBe(`option databasePath: ${store.path} is not a file but a folder`)
  })

  test('a missing folder is named, and not made', async () => {
    await using store = freshStore()
    const error = await refusal(join(store.folder, 'missing', 'memory.db'))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(`the folder ${join(store.folder, 'missing')} does not exist`)
  })

  test('a file in the place of the folder is refused', async () => {
    await using store = freshStore()
    writeFileSync(store.path, '')
    const error = await refusal(join(store.path, 'memory.db'))
    expect(error.message).toContain(store.path)
    expect(error.retryable).toBe(false)
  })

  test('after the mistake is put right the same memory opens', async () => {
    await using store = freshStore()
    const memory = createBackend('sqlite', { databasePath: join(store.folder, 'later', 'memory.db') })
    await expect(memory.connect()).rejects.toBeInstanceOf(ConfigurationError)
    mkdirSync(join(store.folder, 'later'))
    await memory.connect()
    expect(await memory.healthCheck()).toBe(true)
    await memory.close()
  })
})

describe('a file that is not SQLite', () => {
  const magic = Buffer.from('SQLite format 3\0')
  test.each<[string, Buffer]>([
    ['a text', Buffer.from('Dear diary, today I met MARKER.\n'.repeat(200))],
    ['a very short text', Buffer.from('hi')],
    ['4 KB of noise', randomBytes(4096)],
    ['noise behind the right first bytes', Buffer.concat([magic, randomBytes(4080)])],
  ])('%s is told from a database, and stays as it is', async (_, content) => {
    await using store = freshStore()
    writeFileSync(store.path, content)
    const error = await refusal(store.path)
    expect(error).toBeInstanceOf(StorageError)
    expect(error.message).toBe(`${store.path}: the file is not a SQLite database (SQLITE_NOTADB)`)
  })

  test('an empty file is a new database', async () => {
    await using store = freshStore()
    writeFileSync(store.path, '')
    const memory = await store.open()
    await memory.messages.append('c', { role: 'user', content: 'first' }, { userId: 'ada' })
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })
})

describe('a damaged database', () => {
  test.each([2, 3, 10])('cut to one part in %i, is named as damaged', async (part) => {
    await using store = freshStore()
    const whole = await filled(store)
    writeFileSync(store.path, whole.subarray(0, Math.floor(whole.length / part)))
    const error = await refusal(store.path)
    expect(error).toBeInstanceOf(StorageError)
    expect(error.message).toMatch(/damaged \(SQLITE_CORRUPT/)
    expect(error.message).toContain(store.path)
  })

  test('answers typed errors or what was stored, wherever the damage is', async () => {
    await using store = freshStore()
    const whole = await filled(store)
    const random = seeded(11)
    for (let round = 0; round < 25; round++) {
      const bytes = Buffer.from(whole)
      for (let i = 0; i < 10 * round + 10; i++)
        bytes[100 + Math.floor(random() * (bytes.length - 100))] = Math.floor(random() * 256)
      writeFileSync(store.path, bytes)
      const memory = createBackend('sqlite', { databasePath: store.path })
      const calls = [
        () => memory.messages.list('c', { last: 1000 }),
        () => memory.search({ text: 'n7' }),
        () => memory.messages.append('c', { role: 'user', content: 'new' }),
        () => memory.conversations.delete('c'),
        () => memory.statistics(),
      ]
      for (const call of calls) {
        const error: unknown = await call().then(
          () => null,
          (reason) => reason,
        )
        if (error !== null) expect(error).toBeInstanceOf(BrunoMemoryError)
      }
      await memory.close()
    }
  })
})

describe('a database without the rights to it', () => {
  interface Modes {
    readonly file: number
    readonly folder: number
  }
  async function attempts({ file, folder }: Modes, name = 'memory.db'): Promise<Map<string, Attempt>> {
    await using store = freshStore()
    const memory = store.make()
    await memory.messages.append('c', { role: 'user', content: 'first', id: 'first' }, { userId: 'ada' })
    await memory.close()
    const before = readFileSync(store.path)
    chmodSync(store.path, file)
    chmodSync(store.folder, folder)
    try {
      return new Map(asNobody(child.script, join(store.folder, name)).map((each) => [each.step, each]))
    } finally {
      chmodSync(store.folder, 0o700)
      chmodSync(store.path, 0o600)
      expect(readFileSync(store.path).equals(before)).toBe(true)
      expect(storedIds(store.path)).toEqual(['first'])
    }
  }
  const rights = {
    ok: false,
    name: StorageError.name,
    retryable: false,
    message: expect.stringContaining('permissions'),
  }
  const unopened = { ok: false, name: ConnectionError.name, message: expect.stringMatching(/memory\.db.*CANTOPEN/) }

  test('a file that cannot be written is read, and a write says why not', async () => {
    const tried = await attempts({ file: 0o444, folder: 0o777 })
    expect(tried.get('open')).toMatchObject({ ok: true })
    expect(tried.get('read')).toMatchObject({ ok: true, answer: ['first'] })
    expect(tried.get('write')).toMatchObject(rights)
    expect(tried.get('write')?.shown).not.toContain('MARKER')
  })

  test.each<[string, Modes]>([
    ['a folder', { file: 0o666, folder: 0o555 }],
    ['a file and its folder', { file: 0o444, folder: 0o555 }],
  ])('%s that cannot be written is refused at open', async (_, modes) => {
    const tried = await attempts(modes)
    for (const step of ['open', 'read', 'write']) expect(tried.get(step)).toMatchObject(rights)
    expect(tried.get('open')?.message).toContain('memory.db')
  })

  test('a file that cannot be read is refused at open', async () => {
    expect((await attempts({ file: 0o000, folder: 0o755 })).get('open')).toMatchObject(unopened)
  })

  test('a file that cannot be made is refused at open', async () => {
    expect((await attempts({ file: 0o644, folder: 0o555 }, 'new-memory.db')).get('open')).toMatchObject(unopened)
  })
})

describe('a disk without room', () => {
  /** Every write failed with a typed error that names the reason and no content; nothing of it is stored. */
  function proveRefused(attempts: readonly Attempt[], message: RegExp): void {
    const writes = attempts.filter((each) => !['read', 'again'].includes(each.step))
    expect(writes).toHaveLength(24)
    for (const write of writes) {
      expect(write).toMatchObject({ ok: false, code: 'storage', message: expect.stringMatching(message) })
      expect(write.shown).not.toContain('MARKER')
    }
    expect(attempts.find((each) => each.step === 'read')).toMatchObject({ ok: true, answer: ['first'] })
  }

  test('that is full refuses every write and stores nothing of it; the store goes on when there is room', async (context) => {
    await using store = freshStore()
    const disk = join(store.folder, 'disk')
    mkdirSync(disk)
    if (!canMount(disk)) context.skip('this machine mounts no small disk for a test')
    const attempts = onSmallDisk(child.script, disk, store.path)
    proveRefused(attempts, /the disk is full: nothing of this write was stored/)
    expect(attempts.find((each) => each.step === 'again')).toMatchObject({ ok: true })
    expect(damage(store.path)).toEqual([])
    expect(storedIds(store.path)).toEqual(['first', 'again'])
  })

  test('for a larger file refuses the same way, and the next process goes on', async () => {
    await using store = freshStore()
    proveRefused(withFileLimit(child.script, store.path, 700), /SQLITE_(IOERR_WRITE|FULL)/)
    expect(damage(store.path)).toEqual([])
    expect(storedIds(store.path)).toEqual(['first'])
    const memory = await store.open()
    const [message] = await memory.messages.append('c', { role: 'user', content: 'room again' })
    expect(message?.position).toBe(2)
    expect(await memory.search({ text: 'room', neighbours: false })).toHaveLength(1)
    expect(await memory.search({ text: 'MARKER' })).toEqual([])
  })
})
