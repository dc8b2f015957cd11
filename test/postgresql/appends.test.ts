import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { AppendQueue, type Sender } from '../../src/backends/postgresql/append-queue.js'
import type { Appending } from '../../src/backends/sql/engine.js'
import type { Memory } from '../../src/contract/memory.js'
import { ConflictError, ConnectionError } from '../../src/errors.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'
import { transactionsOf } from './support/statements.js'

const never = async (): Promise<void> => {
  throw new Error('the slow way is not wanted')
}
const appending = (conversationId: string, ...ids: string[]): Appending => ({
  tenantId: 't',
  conversationId,
  userId: undefined,
  language: 'english',
  now: new Date(0),
  rows: ids.map((id) => ({ id })),
  path: (i) => `messages[${i}].id`,
})

/** Keeps what it was sent, and answers when it is let. */
function sender() {
  const sent: string[] = []
  const last = new Map<string, number>()
  let open: Promise<void> = Promise.resolve()
  const write = (each: Appending): number => {
    const at = (last.get(each.conversationId) ?? 0) + each.rows.length
    last.set(each.conversationId, at)
    return at
  }
  const describeOne = (each: Appending) => `${each.conversationId}:${each.rows.map((row) => row.id).join(',')}`
  const one: Sender['one'] = async (each) => {
    sent.push(describeOne(each))
    await open
    return write(each)
  }
  const several: Sender['several'] = async (all) => {
    sent.push(all.map(describeOne).join(' '))
    await open
    return all.map(write)
  }
  return {
    sent,
    one,
    several,
    hold() {
      let release: () => void = () => {}
      open = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
  }
}

describe('the queue of appends', () => {
  test('sends what is called in one go together, and what waits for its conversation after it, joined', async () => {
    const to = sender()
    const queue = new AppendQueue(to, 2)
    const release = to.hold()
    const calls = ['a1', 'b1', 'a2', 'a3', 'b2'].map((id) =>
      queue.submit(id[0] as string, appending(id[0] as string, id), never),
    )
    await new Promise(setImmediate)
    expect(to.sent).toEqual(['a:a1 b:b1'])
    release()
    expect(await Promise.all(calls)).toEqual([1, 1, 2, 3, 2])
    expect(to.sent).toEqual(['a:a1 b:b1', 'a:a2,a3 b:b2'])
  })

  test('an error of several is found out one by one; a lost connection is everybody’s', async () => {
    const to = sender()
    const one: Sender['one'] = async (each) => {
      if (each.rows.some((row) => row.id === 'bad')) throw new ConflictError('bad')
      return to.one(each)
    }
    const refused = new AppendQueue({ one, several: () => Promise.reject(new ConflictError('somebody is bad')) }, 2)
    const calls = ['ok', 'bad', 'fine'].map((id) => refused.submit(id, appending(id, id), never))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])

    const lost = new AppendQueue({ one, several: () => Promise.reject(new ConnectionError('gone')) }, 2)
    const gone = await Promise.allSettled(['x', 'y'].map((id) => lost.submit(id, appending(id, id), never)))
    expect(gone.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(to.sent).toEqual(['ok:ok', 'fine:fine'])
  })

  test('the slow way keeps its place', async () => {
    const to = sender()
    const queue = new AppendQueue({ ...to, one: async (each) => (each.rows[0]?.id === 'b' ? null : to.one(each)) }, 2)
    const order: string[] = []
    const slow = (name: string) => async () => {
      order.push(`${name} begins`)
      await new Promise(setImmediate)
      order.push(`${name} ends`)
    }
    await Promise.all([
      queue.submit('c', null, slow('a')),
      queue.submit('c', appending('c', 'b'), slow('b')),
      queue.submit('c', appending('c', 'd'), never).then(() => order.push('d')),
    ])
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'd'])
  })
})

describe('appends to the server', () => {
  let memory: Memory
  let url: string
  beforeEach(async () => {
    url = await freshDatabase()
    memory = createBackend('postgresql', { connectionString: url })
    for (const id of ['a', 'b', 'c']) await memory.conversations.create({ id, userId: 'ada' })
  })
  afterEach(async () => {
    await memory.close()
    await returnDatabases()
  })
  afterAll(leaveServer)

  test('to several conversations are one statement, in order, whatever their messages are', async () => {
    const answers = await Promise.all(
      ['a', 'b', 'c', 'a', 'b', 'c'].map((id, i) =>
        memory.messages.append(id, [
          { role: 'user', content: `first ${i}` },
          { role: 'tool', content: `second ${i}`, toolCallId: 'x', metadata: { i }, name: 'n' },
        ]),
      ),
    )
    expect(await transactionsOf(url)).toBe(2)
    expect(answers.map((batch) => batch.map(({ position }) => position))).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
      [3, 4],
      [3, 4],
      [3, 4],
    ])
    const { items } = await memory.messages.list('b')
    expect(items).toEqual([...(answers[1] ?? []), ...(answers[4] ?? [])])
    expect(await memory.conversations.get('b')).toMatchObject({ messageCount: 4, lastPosition: 4 })
  })

  test('one that is refused among several leaves the others', async () => {
    await memory.messages.append('a', { id: 'taken', role: 'user', content: 'x' })
    const outcomes = await Promise.allSettled([
      memory.messages.append('a', { id: 'taken', role: 'user', content: 'again' }),
      memory.messages.append('b', { role: 'user', content: 'fine' }),
      memory.messages.append('unknown', { role: 'user', content: 'nowhere' }),
      memory.messages.append('c', { role: 'user', content: 'fine too' }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
    expect((outcomes[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'conflict' })
    expect((outcomes[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'not-found' })
    expect(await memory.statistics()).toMatchObject({ messages: 3 })
  })
})
