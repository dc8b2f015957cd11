import { inspect } from 'node:util'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { BrunoMemoryError, StorageError } from '../../src/errors.js'
import { freshStore, type Store } from './support/store.js'

/** Stands in everything that must not be repeated by an error. */
const MARKER = 'xyzzy-secret'

async function filled(store: Store): Promise<Memory> {
  const memory = await store.open()
  await memory.unitOfWork(async (unit) => {
    await unit.messages.append('c', { id: 'm', role: 'user', content: `hello ${MARKER}` }, { userId: 'ada' })
    await unit.sessions.create({ id: 's', userId: 'ada', conversationId: 'c' })
    await unit.memories.add({ id: 'e', userId: 'ada', content: `likes ${MARKER}`, tags: ['a'] })
    await unit.documents.upsert({ namespace: 'n', id: 'd', content: `page ${MARKER}` })
  })
  return memory
}

/** Writes past the memory, as another program would. */
function tamper(store: Store, sql: string): void {
  const client = new Database(store.path)
  try {
    client.exec(sql)
  } finally {
    client.close()
  }
}

/** Whether anything of an error, its causes included, shows the marker. */
function shows(error: unknown): boolean {
  const { message, stack, cause } = error as Error
  const texts = [message, stack, String(cause), inspect(error, { depth: 10, showHidden: true }), JSON.stringify(error)]
  return texts.some((text) => text?.includes(MARKER))
}

const outcome = (work: () => Promise<unknown>): Promise<unknown> =>
  Promise.resolve()
    .then(work)
    .then(
      () => null,
      (error: unknown) => error,
    )

type Calls = Readonly<Record<string, (memory: Memory) => readonly (() => Promise<unknown>)[]>>

/** Calls by table that meet its row. */
const CALLS: Calls = {
  bruno_users: (m) => [() => m.users.get('ada'), () => m.users.list(), () => m.users.update('ada', { metadata: {} })],
  bruno_conversations: (m) => [
    () => m.conversations.get('c'),
    () => m.conversations.list({ userId: 'ada' }),
    () => m.conversations.update('c', { title: 'new' }),
    () => m.messages.branch('c', 'm'),
  ],
  bruno_messages: (m) => [
    () => m.messages.get('c', 'm'),
    () => m.messages.list('c'),
    () => m.messages.update('c', 'm', { metadata: { a: 1 } }),
    () => m.search({ text: 'hello', kinds: ['message'] }),
  ],
  bruno_sessions: (m) => [() => m.sessions.get('s'), () => m.sessions.latest('ada'), () => m.sessions.end('s')],
  bruno_memories: (m) => [
    () => m.memories.get('e'),
    () => m.memories.list(),
    () => m.memories.recall({ text: 'likes' }),
    () => m.memories.update('e', { metadata: { a: 1 } }),
  ],
  bruno_documents: (m) => [
    () => m.documents.get('n', 'd'),
    () => m.documents.list('n'),
    () => m.search({ text: 'page', kinds: ['document'] }),
  ],
}

const TEXT = `'{"a": ${MARKER}'`
const BAD: readonly (readonly [table: string, column: string, value: string, what: string])[] = [
  ...[
    'bruno_users',
    'bruno_conversations',
    'bruno_messages',
    'bruno_sessions',
    'bruno_memories',
    'bruno_documents',
  ].flatMap(
    (table) =>
      [
        [table, 'metadata', TEXT, 'no JSON'],
        [table, 'metadata', `'["${MARKER}"]'`, 'an array'],
        [table, 'metadata', `'"${MARKER}"'`, 'a JSON text'],
        [table, 'metadata', "'null'", 'a JSON null'],
        [table, 'created_at', `'${MARKER}'`, 'a text'],
        [table, 'created_at', '9e300', 'no instant'],
      ] as const,
  ),
  ['bruno_users', 'preferences', TEXT, 'no JSON'],
  ['bruno_conversations', 'tags', `'{"0": "${MARKER}"}'`, 'an object'],
  ['bruno_conversations', 'tags', `'[1]'`, 'an array of numbers'],
  ['bruno_conversations', 'title', `x'${Buffer.from(MARKER).toString('hex')}'`, 'bytes'],
  ['bruno_messages', 'parts', `'{"0": "${MARKER}"}'`, 'an object'],
  ['bruno_messages', 'content', `x'${Buffer.from(MARKER).toString('hex')}'`, 'bytes'],
  ['bruno_sessions', 'state', `'"${MARKER}"'`, 'a JSON text'],
  ['bruno_memories', 'tags', TEXT, 'no JSON'],
  ['bruno_memories', 'related_ids', `'"${MARKER}"'`, 'a JSON text'],
  ['bruno_memories', 'importance', `'${MARKER}'`, 'a text'],
  ['bruno_memories', 'content', `x'${Buffer.from(MARKER).toString('hex')}'`, 'bytes'],
]

describe('a stored value that no memory wrote', () => {
  test.each(BAD)('%s.%s = %s, %s, is a StorageError', async (table, column, value) => {
    await using store = freshStore()
    const memory = await filled(store)
    tamper(store, `update ${table} set ${column} = ${value}`)
    const errors: unknown[] = []
    for (const call of CALLS[table]?.(memory) ?? []) errors.push(await outcome(call))
    expect(errors.map((error) => (error === null ? 'answered' : (error as Error).name))).toEqual(
      errors.map(() => StorageError.name),
    )
    for (const error of errors) expect(shows(error)).toBe(false)
    // The rest of the store goes on.
    await memory.messages.append('other', { role: 'user', content: 'fine' }, { userId: 'grace' })
    expect((await memory.messages.list('other')).items).toHaveLength(1)
  })

  test('in the record of an operation is a StorageError', async () => {
    await using store = freshStore()
    const memory = await filled(store)
    const call = () => memory.conversations.create({ id: 'x', userId: 'ada' }, { operationId: 'op' })
    await call()
    for (const [column, value] of [
      ['result', `${MARKER} {`],
      ['records', `${MARKER} [`],
    ]) {
      tamper(store, `update bruno_operations set result = null, ${column} = '${value}'`)
      const error = await outcome(call)
      expect(error).toBeInstanceOf(StorageError)
      expect(shows(error)).toBe(false)
    }
  })

  test('whose keys are names of Object.prototype is plain data', async () => {
    await using store = freshStore()
    const memory = await filled(store)
    tamper(
      store,
      `update bruno_messages set metadata = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": 2}}'`,
    )
    const message = await memory.messages.get('c', 'm')
    expect(Object.keys(message?.metadata ?? {})).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(message?.metadata)).toBe(Object.prototype)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('in place of the revision counter stops writes with a typed error, not reads', async () => {
    await using store = freshStore()
    const memory = await filled(store)
    tamper(store, 'delete from bruno_revision')
    const error = await outcome(() => memory.messages.append('c', { role: 'user', content: MARKER }))
    expect(error).toBeInstanceOf(StorageError)
    expect(shows(error)).toBe(false)
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })
})

describe('no error repeats content', () => {
  const says = (content: string, rest: object = {}) => ({ role: 'user' as const, content, ...rest })
  const long = MARKER.repeat(10)
  const cases: Readonly<Record<string, (memory: Memory) => Promise<unknown>>> = {
    'a conflicting id': (m) => m.messages.append('c', says(MARKER, { id: 'm' })),
    'a conflict in a batch': (m) => m.messages.append('c', [says(MARKER), says(MARKER, { id: 'm' })]),
    'a conflicting memory': (m) => m.memories.add({ id: 'e', userId: 'ada', content: MARKER }),
    'a conflicting user': (m) => m.users.create({ id: 'ada', name: MARKER, profile: { note: MARKER } }),
    'an unknown conversation': (m) => m.messages.append('nowhere', says(MARKER)),
    'an unknown parent': (m) => m.messages.append('c', says(MARKER, { parentId: MARKER })),
    'an unknown record': (m) => m.memories.update('nobody', { content: MARKER }),
    'another version': (m) => m.memories.update('e', { content: MARKER }, { version: 9 }),
    'a NUL': (m) => m.messages.append('c', says(`${MARKER}\0`)),
    'a lone surrogate': (m) => m.messages.append('c', says(`${MARKER}\ud800`)),
    'a wrong role': (m) => m.messages.append('c', { role: MARKER as 'user', content: MARKER }),
    'a wrong type': (m) => m.messages.append('c', says(MARKER, { metadata: MARKER })),
    'a value that is no JSON': (m) => m.messages.append('c', says(MARKER, { metadata: { a: [MARKER, Number.NaN] } })),
    'an id that is too long': (m) => m.messages.append('c', says('x', { id: MARKER.repeat(100) })),
    'a title that is too long': (m) => m.conversations.update('c', { title: long.repeat(100) }),
    'a cursor of nothing': (m) => m.messages.list('c', { before: MARKER }),
    'a filter of another type': (m) => m.memories.list({ category: [MARKER] as unknown as string }),
    'a metadata filter': (m) => m.memories.list({ metadata: { a: { in: MARKER as unknown as [] } } }),
    'a search by vectors': (m) => m.search({ text: MARKER, mode: 'vector' }),
    'a changed operation': async (m) => {
      await m.messages.append('c', says(MARKER), { operationId: 'op' })
      return m.messages.append('c', says(`other ${MARKER}`), { operationId: 'op' })
    },
  }

  test.each(Object.entries(cases))('%s', async (_, call) => {
    await using store = freshStore()
    const memory = await filled(store)
    const error = await outcome(() => call(memory))
    expect(error).toBeInstanceOf(BrunoMemoryError)
    expect(shows(error)).toBe(false)
    const inside = await outcome(() => memory.unitOfWork((unit) => call(unit as unknown as Memory)))
    expect(inside).toBeInstanceOf(BrunoMemoryError)
    expect(shows(inside)).toBe(false)
  })

  test('nor does what `inspect` shows of a memory', async () => {
    await using store = freshStore()
    const memory = await filled(store)
    await memory.messages.list('c')
    expect(inspect(memory, { depth: 10, showHidden: true })).not.toContain(MARKER)
  })
})
