import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { prepare } from '../../src/backend.js'
import type { Backend } from '../../src/contract/backend.js'
import type { Journal, JournalEntry, JournalState } from '../../src/contract/journal.js'
import { freshDatabase, leaveServer, returnDatabases } from '../postgresql/support/databases.js'
import { freshPrefix, serverUrl } from '../redis/support/memories.js'

afterAll(leaveServer)

const IDLE: JournalState = { epoch: 0, phase: 'idle' }
const OUTAGE: JournalState = { epoch: 1, phase: 'outage' }

const entry = (id: string, more: Partial<JournalEntry> = {}): JournalEntry => ({
  id,
  tenantId: 'a',
  epoch: 1,
  createdAt: new Date(1234),
  what: `{"of":"${id}"}`,
  ...more,
})

interface Place {
  readonly name: string
  /** Opens a store of its own, and answers how to open it again. */
  open(): Promise<() => Promise<Backend>>
}

const opened: Backend[] = []
const folders: string[] = []
async function backend(name: string, options: object): Promise<Backend> {
  const made = await prepare(name, options).load()
  await made.open()
  opened.push(made)
  return made
}

const places: readonly Place[] = [
  {
    name: 'sqlite',
    async open() {
      const folder = await mkdtemp(join(tmpdir(), 'bruno-journal-'))
      folders.push(folder)
      return () => backend('sqlite', { databasePath: join(folder, 'memory.db') })
    },
  },
  {
    name: 'postgresql',
    async open() {
      const connectionString = await freshDatabase()
      return () => backend('postgresql', { connectionString, poolSize: 4 })
    },
  },
  {
    name: 'redis',
    async open() {
      const prefix = freshPrefix()
      return () => backend('redis', { url: serverUrl(), prefix })
    },
  },
]

describe.each(places)('the journal of $name', ({ open }) => {
  let store: Backend
  let again: () => Promise<Backend>
  let journal: Journal
  beforeEach(async () => {
    again = await open()
    store = await again()
    journal = store.journal as Journal
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()))
    await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })))
    await returnDatabases()
  })

  const add = (...entries: JournalEntry[]) =>
    store.unit('a', async (scope) => {
      expect(await scope.journal?.enter(OUTAGE)).toBe(true)
      for (const each of entries) await scope.journal?.add(each)
    })
  const ids = async (...states: Parameters<Journal['read']>[0]) => (await journal.read(states, 100)).map(({ id }) => id)

  it('begins idle, and changes only from what it is', async () => {
    expect(await journal.state()).toEqual(IDLE)
    expect(await journal.change({ epoch: 7, phase: 'idle' }, OUTAGE)).toBe(false)
    expect(await journal.change(IDLE, OUTAGE)).toBe(true)
    expect(await journal.change(IDLE, OUTAGE)).toBe(false)
    expect(await journal.state()).toEqual(OUTAGE)
    expect(await ((await again()).journal as Journal).state()).toEqual(OUTAGE)
  })

  it('of many who change it at once one does', async () => {
    const other = (await again()).journal as Journal
    const done = await Promise.all([1, 2, 3, 4].map((i) => (i % 2 ? journal : other).change(IDLE, OUTAGE)))
    expect(done.filter(Boolean)).toHaveLength(1)
  })

  it('keeps entries in the order of their units, whole, until they are removed', async () => {
    await journal.change(IDLE, OUTAGE)
    await add(entry('1'))
    await add(entry('2', { what: 'x'.repeat(100_000) }), entry('3', { tenantId: 'b"{}' }))
    expect(await ids('waiting')).toEqual(['1', '2', '3'])
    expect(await journal.counts()).toEqual({ waiting: 3, parked: 0 })
    const [first, second, third] = await journal.read(['waiting'], 100)
    expect(first).toEqual({ ...entry('1'), seq: expect.any(Number), state: 'waiting', reason: null })
    expect(second?.what).toHaveLength(100_000)
    expect(third?.tenantId).toBe('b"{}')
    expect((await journal.read(['waiting'], 2)).map(({ id }) => id)).toEqual(['1', '2'])
    await journal.remove([first, third].flatMap((each) => each ?? []))
    expect(await ids('waiting')).toEqual(['2'])
  })

  it('marks entries, and reads several states in one order', async () => {
    await journal.change(IDLE, OUTAGE)
    await add(entry('1'), entry('2'), entry('3'), entry('4'))
    const [one, two, three] = await journal.read(['waiting'], 100)
    await journal.mark(
      [one, three].flatMap((each) => each ?? []),
      'done',
    )
    await journal.mark(two ? [two] : [], 'parked', 'it was refused')
    expect(await ids('waiting')).toEqual(['4'])
    expect(await ids('done', 'parked')).toEqual(['1', '2', '3'])
    expect(await journal.counts()).toEqual({ waiting: 1, parked: 1 })
    const [parked] = await journal.read(['parked'], 1)
    expect(parked).toEqual({ ...entry('2'), seq: two?.seq, state: 'parked', reason: 'it was refused' })
    if (parked) await journal.mark([parked], 'kept', parked.reason ?? undefined)
    expect(await ids('kept')).toEqual(['2'])
    expect(await journal.counts()).toEqual({ waiting: 1, parked: 1 })
  })

  it('an entry stands or falls with its unit', async () => {
    await journal.change(IDLE, OUTAGE)
    const failing = store.unit('a', async (scope) => {
      await scope.journal?.enter(OUTAGE)
      await scope.users?.create({ id: 'gone' })
      await scope.journal?.add(entry('gone'))
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    expect(await ids('waiting')).toEqual([])
    await store.unit('a', async (scope) => {
      await scope.journal?.enter(OUTAGE)
      await scope.users?.create({ id: 'ada' })
      await scope.journal?.add(entry('1'))
    })
    expect(await ids('waiting')).toEqual(['1'])
    expect(await store.scope('a').users?.get('ada')).not.toBeNull()
    expect(await store.scope('a').users?.get('gone')).toBeNull()
  })

  it('a unit does not enter another state, and one that had entered is done before it changes, or leaves nothing', async () => {
    await journal.change(IDLE, OUTAGE)
    expect(await store.unit('a', async (scope) => scope.journal?.enter(IDLE))).toBe(false)
    const after: JournalState = { epoch: 2, phase: 'idle' }
    let changed: Promise<boolean> | undefined
    const unit = store.unit('a', async (scope) => {
      await scope.journal?.enter(OUTAGE)
      changed = journal.change(OUTAGE, after, { drained: true })
      await new Promise((resolve) => setTimeout(resolve, 50))
      await scope.users?.create({ id: 'late' })
      await scope.journal?.add(entry('late'))
    })
    const stored = await unit.then(
      () => true,
      () => false,
    )
    // Either it came first, and the drained change noticed its entry; or it was refused and left nothing.
    expect(await changed).toBe(!stored)
    expect(await ids('waiting')).toEqual(stored ? ['late'] : [])
    expect((await store.scope('a').users?.get('late')) !== null).toBe(stored)
  })

  it('is changed by a drained change only where nothing waits', async () => {
    await journal.change(IDLE, OUTAGE)
    await add(entry('1'))
    const after: JournalState = { epoch: 2, phase: 'idle' }
    expect(await journal.change(OUTAGE, after, { drained: true })).toBe(false)
    await journal.mark(await journal.read(['waiting'], 1), 'done')
    expect(await journal.change(OUTAGE, after, { drained: true })).toBe(true)
  })

  it('its lease belongs to one owner, who can renew it, until it ends or is given back', async () => {
    expect(await journal.lease('me', 60_000)).toBe(true)
    expect(await journal.lease('you', 60_000)).toBe(false)
    expect(await journal.lease('me', 60_000)).toBe(true)
    await journal.release('you')
    expect(await journal.lease('you', 60_000)).toBe(false)
    await journal.release('me')
    expect(await journal.lease('you', 1)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(await journal.lease('me', 60_000)).toBe(true)
    expect(await journal.state()).toEqual(IDLE)
  })
})
