import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { ConflictError, NotFoundError, StorageError } from '../../src/errors.js'
import { gate, pause } from '../support/gate.js'
import { Rescinded } from '../support/rescinded.js'
import { matching, type StatementSpy, spyOnStatements } from './support/spy.js'
import { freshStore, type Store } from './support/store.js'

const CALLERS = 100
const says = (content: string, id?: string) => ({ role: 'user' as const, content, id })
const callers = Array.from({ length: CALLERS }, (_, i) => i)

interface Ground extends AsyncDisposable {
  readonly store: Store
  readonly memory: Memory
  readonly spy: StatementSpy
  /** Ids of the stored messages, as a connection of its own sees them. */
  seen(): string[]
}

async function ground(): Promise<Ground> {
  const store = freshStore()
  const spy = spyOnStatements()
  const memory = await store.open()
  await memory.messages.append('c', says('first', 'first'), { userId: 'ada' })
  const other = new Database(store.path, { readonly: true })
  const ids = other.prepare<[], string>('select id from bruno_messages order by position').pluck()
  spy.take()
  return {
    store,
    memory,
    spy,
    seen: () => ids.all(),
    async [Symbol.asyncDispose]() {
      spy[Symbol.dispose]()
      other.close()
      await store[Symbol.asyncDispose]()
    },
  }
}

const transactions = (texts: readonly string[]): number => matching(texts, /^begin immediate$/)

describe('100 single appends at the same time', () => {
  test('share a few transactions, and each is on the disk when it is answered', async () => {
    await using g = await ground()
    const missing: string[] = []
    await Promise.all(
      callers.map(async (i) => {
        await g.memory.messages.append('c', says(`number ${i}`, `m${i}`))
        if (!g.seen().includes(`m${i}`)) missing.push(`m${i}`)
      }),
    )
    expect(missing).toEqual([])
    expect(g.seen()).toHaveLength(CALLERS + 1)
    const texts = g.spy.take()
    expect(transactions(texts)).toBeLessThanOrEqual(3)
    expect(matching(texts, /^commit$/)).toBe(transactions(texts))
  })

  test('are numbered and answered in the order of the calls', async () => {
    await using g = await ground()
    const answered: number[] = []
    const stored = await Promise.all(
      callers.map(async (i) => {
        const [message] = await g.memory.messages.append('c', says(`number ${i}`))
        answered.push(i)
        return message?.position
      }),
    )
    expect(stored).toEqual(callers.map((i) => i + 2))
    expect(answered).toEqual(callers)
  })

  test('go on without those that are refused, which alone are told', async () => {
    await using g = await ground()
    const outcomes = await Promise.allSettled(
      callers.map((i) =>
        i === 50
          ? g.memory.messages.append('c', says('taken', 'first'))
          : i === 70
            ? g.memory.messages.append('nowhere', says('lost'))
            : g.memory.messages.append('c', says(`number ${i}`, `m${i}`)),
      ),
    )
    const refused = outcomes.flatMap((each, i) => (each.status === 'rejected' ? [[i, each.reason] as const] : []))
    expect(refused.map(([i]) => i)).toEqual([50, 70])
    expect(refused[0]?.[1]).toBeInstanceOf(ConflictError)
    expect(refused[1]?.[1]).toBeInstanceOf(NotFoundError)
    const kept = callers.filter((i) => i !== 50 && i !== 70)
    expect(g.seen()).toEqual(['first', ...kept.map((i) => `m${i}`)])
    const { items } = await g.memory.messages.list('c', { first: 1000 })
    expect(items.map((m) => m.position)).toEqual([1, ...kept.map((_, i) => i + 2)])
    expect((await g.memory.conversations.get('c'))?.messageCount).toBe(kept.length + 1)
    // The refused attempt and the one with a savepoint around each.
    expect(transactions(g.spy.take())).toBeLessThanOrEqual(4)
  })

  test('of one id store one message and refuse the others', async () => {
    await using g = await ground()
    const outcomes = await Promise.allSettled(
      callers.map((i) => g.memory.messages.append('c', says(`number ${i}`, 'same'))),
    )
    expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1)
    expect(g.seen()).toEqual(['first', 'same'])
    expect(await g.memory.search({ text: 'number', neighbours: false })).toHaveLength(1)
  })

  test('to conversations and tenants of their own are as many conversations', async () => {
    await using g = await ground()
    await Promise.all(
      callers.map((i) =>
        g.memory.forTenant(`t${i % 10}`).messages.append(`c${i % 5}`, says(`number ${i}`), { userId: `u${i % 5}` }),
      ),
    )
    for (let t = 0; t < 10; t++) {
      const { conversations, messages, users } = await g.memory.forTenant(`t${t}`).statistics()
      expect([conversations, messages, users]).toEqual([1, 10, 1])
    }
    expect(transactions(g.spy.take())).toBeLessThanOrEqual(3)
  })
})

test('verbs of every kind share a transaction, each with its own answer', async () => {
  await using g = await ground()
  const [user, conversation, messages, memory, documents, session, taken, cleared] = await Promise.allSettled([
    g.memory.users.create({ id: 'grace' }),
    g.memory.conversations.create({ id: 'd', userId: 'grace' }),
    g.memory.messages.append('d', says('hello')),
    g.memory.memories.add({ id: 'e', userId: 'grace', content: 'likes tea' }),
    g.memory.documents.upsert({ namespace: 'n', id: 'x', content: 'a page' }),
    g.memory.sessions.create({ id: 's', userId: 'grace', conversationId: 'd' }),
    g.memory.users.create({ id: 'ada' }),
    g.memory.messages.clear('c'),
  ] as const)
  expect(user).toMatchObject({ value: { id: 'grace' } })
  expect(conversation).toMatchObject({ value: { id: 'd' } })
  expect(messages).toMatchObject({ value: [{ position: 1 }] })
  expect(memory).toMatchObject({ value: { id: 'e' } })
  expect(documents).toMatchObject({ value: [{ id: 'x' }] })
  expect(session).toMatchObject({ value: { id: 's' } })
  expect(taken).toMatchObject({ status: 'rejected', reason: { code: 'conflict' } })
  expect(cleared).toMatchObject({ value: 1 })
  expect(transactions(g.spy.take())).toBeLessThanOrEqual(3)
  expect(await g.memory.statistics()).toMatchObject({ users: 2, conversations: 2, messages: 1, memories: 1 })
})

describe('a unit among single appends', () => {
  test('that fails takes none of them with it', async () => {
    await using g = await ground()
    const before = callers.slice(0, 20).map((i) => g.memory.messages.append('c', says('before', `b${i}`)))
    const unit = g.memory.unitOfWork(async (inside) => {
      await inside.messages.append('c', says('inside', 'inside'))
      await pause()
      throw new Rescinded()
    })
    const after = callers.slice(0, 20).map((i) => g.memory.messages.append('c', says('after', `a${i}`)))
    await expect(unit).rejects.toBeInstanceOf(Rescinded)
    await Promise.all([...before, ...after])
    const seen = g.seen()
    expect(seen).toHaveLength(41)
    expect(seen).not.toContain('inside')
    const { items } = await g.memory.messages.list('c', { last: 1000 })
    expect(items.map((m) => m.position)).toEqual(items.map((_, i) => i + 1))
  })

  test('is alone in its transaction: none of them is seen before it has ended', async () => {
    await using g = await ground()
    const [begun, done] = [gate(), gate()]
    const unit = g.memory.unitOfWork(async (inside) => {
      await inside.messages.append('c', says('inside', 'inside'))
      begun.open()
      await done.opened
    })
    await begun.opened
    const waiting = callers.slice(0, 10).map((i) => g.memory.messages.append('c', says('waiting', `w${i}`)))
    await pause()
    expect(g.seen()).toEqual(['first'])
    done.open()
    await Promise.all([unit, ...waiting])
    expect(g.seen()).toEqual(['first', 'inside', ...callers.slice(0, 10).map((i) => `w${i}`)])
  })
})

describe('when the disk is full', () => {
  /** The engine's own limit on the file of the write connection, in place of a small disk. */
  function limit({ spy }: Ground, pages: number | null): void {
    const writer = spy.ran.findLast(({ text }) => text === 'begin immediate')?.client
    const used = writer?.pragma('page_count', { simple: true }) as number
    writer?.pragma(`max_page_count = ${pages === null ? 2 ** 32 - 2 : used + pages}`)
  }

  test('who is answered is stored, who is not is told so, and the store goes on when there is room again', async () => {
    await using g = await ground()
    limit(g, 40)
    const outcomes = await Promise.allSettled(
      callers.map((i) => g.memory.messages.append('c', says(`tram ${'x'.repeat(4000)}`, `m${i}`))),
    )
    const answered = callers.filter((i) => outcomes[i]?.status === 'fulfilled')
    const reasons = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    expect(reasons.length).toBeGreaterThan(0)
    for (const reason of reasons) {
      expect(reason).toBeInstanceOf(StorageError)
      expect(reason).toMatchObject({ retryable: true, message: expect.stringMatching(/disk is full/) })
    }
    expect(g.seen()).toEqual(['first', ...answered.map((i) => `m${i}`)])
    limit(g, null)
    await g.memory.messages.append('c', says('room again', 'last'))
    const { items } = await g.memory.messages.list('c', { last: 1000 })
    expect(items.map((m) => m.position)).toEqual(items.map((_, i) => i + 1))
    expect((await g.memory.conversations.get('c'))?.messageCount).toBe(items.length)
    const hits = await g.memory.search({ text: 'tram room', limit: 1000, neighbours: false })
    expect(hits.map((hit) => hit.record.id).sort()).toEqual([...answered.map((i) => `m${i}`), 'last'].sort())
  })

  test('a batch that does not fit leaves nothing', async () => {
    await using g = await ground()
    limit(g, 10)
    const batch = callers.map((i) => says('x'.repeat(4000), `m${i}`))
    await expect(g.memory.messages.append('c', batch)).rejects.toThrow(/disk is full/)
    await expect(g.memory.unitOfWork((unit) => unit.messages.append('c', batch))).rejects.toThrow(/disk is full/)
    expect(g.seen()).toEqual(['first'])
    limit(g, null)
    await g.memory.messages.append('c', batch)
    expect(g.seen()).toHaveLength(CALLERS + 1)
  })

  test('a unit cannot go on past it and store its second half', async () => {
    await using g = await ground()
    limit(g, 10)
    const unit = g.memory.unitOfWork(async (inside) => {
      await inside.messages.append('c', says('small', 'small'))
      await inside.messages.append('c', says('x'.repeat(400_000), 'big')).catch(() => undefined)
      limit(g, null)
      await inside.messages.append('c', says('later', 'later'))
    })
    const outcome = await unit.then(
      () => 'stored',
      () => 'refused',
    )
    // Either all that it was answered for, or nothing.
    expect(g.seen()).toEqual(outcome === 'stored' ? ['first', 'small', 'later'] : ['first'])
  })
})
