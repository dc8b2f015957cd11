import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { createMemory } from '../../src/index.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { DIMENSIONS, opened, PRIMARIES, SEMANTIC, vectorOf } from './composition.js'

afterAll(returnDatabases)

const sqlite = () => (PRIMARIES.sqlite as () => Promise<string>)()
const document = (id: string, content: string, n: number) => ({ namespace: 'n', id, content, vector: vectorOf(n) })

describe.each(Object.keys(SEMANTIC))('what is left over in %s', (name) => {
  const place = () => (SEMANTIC[name] as () => string)()
  const byVector = (n: number) => ({ text: '', vector: vectorOf(n), mode: 'vector', fresh: true }) as const

  test('hides nothing that is behind it', async () => {
    const memory = await opened({ primary: await sqlite(), semantic: place() })
    const many = Array.from({ length: 30 }, (_, i) => ({
      role: 'user' as const,
      content: `gone ${i}`,
      vector: vectorOf(1),
    }))
    await memory.messages.append('old', many, { userId: 'ada' })
    await memory.conversations.update('old', { expiresAt: new Date(Date.now() - 1000) })
    const near = vectorOf(1).map((value, i) => value + (i === 0 ? 0.1 : 0))
    await memory.messages.append('live', { role: 'user', content: 'here', vector: near }, { userId: 'ada' })
    const questions = [
      { ...byVector(1), limit: 3 },
      { ...byVector(1), limit: 3, minScore: 0.2 },
      { ...byVector(1), limit: 3, text: 'nothing', mode: 'hybrid', candidates: 10 },
    ] as const
    for (const question of questions)
      expect((await memory.search(question)).map(({ record }) => record.content)).toEqual(['here'])
    expect(await memory.search({ ...byVector(4), limit: 3, minScore: 0.999 })).toEqual([])
  })

  test('is not taken for a record that has its number now, which is found by its words all the same', async () => {
    const semantic = place()
    const memory = await opened({ primary: await sqlite(), semantic, settle: 'off' })
    await memory.documents.upsert([document('1', 'alpha', 1)])
    await memory.settle()
    await memory.documents.delete('n', '1')
    await memory.documents.upsert([document('2', 'beta', 1), document('3', 'beta and more', 2)])
    const hits = await memory.search({ text: 'beta', vector: vectorOf(1), mode: 'hybrid' })
    expect(hits.map(({ record }) => record.id).sort()).toEqual(['2', '3'])
    // Another life of the primary, whose rows are numbered from 1 again.
    const other = await opened({ primary: 'sqlite::memory:', semantic })
    await other.documents.upsert([document('4', 'gamma', 1)])
    expect((await other.search(byVector(1))).map(({ record }) => record.id)).toEqual(['4'])
  })

  test('of another life of the primary is written over', async () => {
    const semantic = place()
    const first = await opened({ primary: 'sqlite::memory:', semantic })
    for (let i = 0; i < 5; i++) await first.documents.upsert([document('1', `old ${i}`, 1)])
    await first.documents.upsert([document('2', 'two', 2)])
    await first.settle()
    await first.close()
    const second = await opened({ primary: 'sqlite::memory:', semantic })
    await second.documents.upsert([document('2', 'two', 2)])
    await second.documents.upsert([document('1', 'new', 3)])
    const hits = await second.search(byVector(3))
    expect(hits.map(({ record }) => record.content)).toEqual(['new', 'two'])
    expect(hits[0]?.score).toBeCloseTo(1)
  })
})

test('what failed while others are waited for in vain fails once', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => {
    process.off('unhandledRejection', note)
  })
  const memory = await opened({
    primary: await sqlite(),
    semantic: 'qdrant://127.0.0.1:1/none',
    settle: 'await',
    settleDeadline: 50,
  })
  const late = { name: 'TimeoutError' }
  const message = { role: 'user', content: 'one' } as const
  await expect(memory.messages.append('c', message, { userId: 'ada' })).rejects.toMatchObject(late)
  await expect(memory.messages.append('unknown', message)).rejects.toMatchObject({ name: 'NotFoundError' })
  const undone = memory.unitOfWork(async () => {
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  await expect(memory.purgeExpired()).rejects.toMatchObject(late)
  await sleep(200)
  expect(unhandled).toEqual([])
})

test('a URL that cannot be read is a wrong configuration, and is not repeated', async () => {
  const refused = async (options: object) => {
    const made = async () =>
      createMemory({ primary: 'sqlite::memory:', embeddingDimensions: DIMENSIONS, ...options }).connect()
    await expect(made()).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.not.stringContaining('50%'),
    })
  }
  for (const semantic of ['qdrant://:50%@host', 'qdrant://host/%', 'chroma://host/%']) await refused({ semantic })
  await refused({ semantic: { backend: 'qdrant', url: 'http://:50%@host' } })
  await refused({ cache: 'redis://:50%@host' })
})
