import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'
import { securedDatabase } from './support/secured.js'
import { countingProxy } from './support/turns.js'

let proxy: Awaited<ReturnType<typeof countingProxy>>
let memory: Memory
const says = (content: string) => ({ role: 'user' as const, content })
const hundred = () => Array.from({ length: 100 }, (_, i) => says(`message ${i}`))

afterEach(async () => {
  await memory.close()
  await proxy.stop()
  await returnDatabases()
})
afterAll(leaveServer)

/** The round trips of a call that was made before: its statement is prepared, and its connection open. */
async function warm(call: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 4; i++) await call()
  return proxy.count(call)
}

const CALLS: readonly (readonly [name: string, turns: number, call: () => Promise<unknown>])[] = [
  ['an append of one message', 1, () => memory.messages.append('c', says('one'))],
  ['an append of a hundred messages', 1, () => memory.messages.append('c', hundred())],
  ['an append that names the user', 1, () => memory.messages.append('c', says('one'), { userId: 'ada' })],
  ['the last fifty messages', 1, () => memory.messages.list('c', { last: 50 })],
  ['a message', 1, () => memory.messages.get('c', 'nobody')],
  ['a conversation', 1, () => memory.conversations.get('c')],
  ['a list of memories', 1, () => memory.memories.list({ userId: 'ada' })],
  ['a session', 1, () => memory.sessions.get('nobody')],
  // BEGIN goes with the append, and the savepoint around it too.
  ['a unit with an append', 2, () => memory.unitOfWork((unit) => unit.messages.append('c', says('one')))],
  [
    'a unit with two appends',
    3,
    () =>
      memory.unitOfWork(async (unit) => {
        await unit.messages.append('c', says('one'))
        await unit.messages.append('c', hundred())
      }),
  ],
]

describe('round trips', () => {
  beforeEach(async () => {
    proxy = await countingProxy(await freshDatabase())
    memory = createBackend('postgresql', { connectionString: proxy.url, poolSize: 2 })
    await memory.messages.append('c', says('first'), { userId: 'ada' })
  })

  test.each(CALLS)('of %s: %i', async (_, turns, call) => {
    expect(await warm(call)).toBe(turns)
  })

  test('of a hundred appends made at once are few', async () => {
    const call = () =>
      Promise.all(hundred().map((message, i) => memory.messages.append(`c${i % 20}`, message, { userId: 'ada' })))
    expect(await warm(call)).toBeLessThan(10)
  })
})

describe('round trips under row-level security', () => {
  beforeEach(async () => {
    const database = await securedDatabase()
    proxy = await countingProxy(database.connectionString)
    memory = createBackend('postgresql', {
      ...database,
      connectionString: proxy.url,
      poolSize: 2,
      rowLevelSecurity: true,
    })
    await memory.messages.append('c', says('first'), { userId: 'ada' })
  })

  test('the tenant is set in the message that asks', async () => {
    expect(await warm(() => memory.messages.list('c', { last: 50 }))).toBeLessThanOrEqual(2)
    expect(await warm(() => memory.messages.append('c', says('one')))).toBe(2)
  })
})
