import { Redis } from 'ioredis'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { cacheUrl, opened, PRIMARIES } from './composition.js'

afterAll(returnDatabases)

const contents = async (memory: Memory, conversation = 'c', last = 50) =>
  (await memory.messages.list(conversation, { last })).items.map(({ content }) => content)

describe.each(Object.keys(PRIMARIES))('what a cache answers beside %s', (name) => {
  const primaryUrl = () => (PRIMARIES[name] as () => Promise<string>)()

  /** Two processes' worth of memories over the same stores. */
  async function pair(): Promise<{ writer: Memory; reader: Memory; plain: Memory }> {
    const [primary, cache] = [await primaryUrl(), cacheUrl()]
    const writer = await opened({ primary, cache })
    return { writer, reader: await opened({ primary, cache }), plain: await opened({ primary }) }
  }

  test('is the window that the primary would answer, of any size, with the same cursors', async () => {
    const { writer, reader, plain } = await pair()
    const messages = Array.from({ length: 70 }, (_, i) => ({
      id: `m${i}`,
      role: 'user' as const,
      content: `message ${i}`,
      metadata: { i, nested: { deep: [1, null, 'x'] } },
      // Every field that a message may have.
      ...(i % 7 === 1 && {
        role: 'tool' as const,
        type: 'action' as const,
        parts: [{ type: 'text', text: `part ${i}` }],
        parentId: 'm0',
        name: 'weather',
        toolCallId: `call ${i}`,
        status: 'aborted' as const,
      }),
    }))
    await writer.messages.append('c', messages, { userId: 'ada' })
    for (const last of [50, 1, 7, 50, 51, 70, 100])
      expect(await reader.messages.list('c', { last })).toEqual(await plain.messages.list('c', { last }))
    expect(await reader.messages.list('c')).toEqual(await plain.messages.list('c'))
    const page = await reader.messages.list('c', { last: 10 })
    expect(await reader.messages.list('c', { before: page.before as string, limit: 10 })).toEqual(
      await plain.messages.list('c', { before: page.before as string, limit: 10 }),
    )
  })

  test('never lacks what this process has written', async () => {
    const { writer } = await pair()
    const expected: string[] = []
    for (let i = 0; i < 30; i++) {
      expected.push(`message ${i}`)
      await writer.messages.append('c', { role: 'user', content: `message ${i}` }, { userId: 'ada' })
      expect(await contents(writer)).toEqual(expected)
    }
    await writer.messages.clear('c')
    expect(await contents(writer)).toEqual([])
  })

  test('follows what another process writes, whatever it changes', async () => {
    const { writer, reader } = await pair()
    const [first] = await writer.messages.append('c', { role: 'user', content: 'one' }, { userId: 'ada' })
    const agrees = (expected: string[]) =>
      vi.waitFor(async () => expect(await contents(reader)).toEqual(expected), { timeout: 3000, interval: 20 })
    await agrees(['one'])
    await writer.messages.append('c', { role: 'assistant', content: 'two' })
    await agrees(['one', 'two'])
    await writer.messages.update('c', first?.id as string, { content: 'uno' })
    await agrees(['uno', 'two'])
    await writer.messages.delete('c', first?.id as string)
    await agrees(['two'])
    await writer.conversations.update('c', { expiresAt: new Date(Date.now() - 1000) })
    await agrees([])
    await writer.messages.append('d', { role: 'user', content: 'three' }, { userId: 'ada' })
    await vi.waitFor(async () => expect(await contents(reader, 'd')).toEqual(['three']), {
      timeout: 3000,
      interval: 20,
    })
    await writer.users.delete('ada')
    await vi.waitFor(async () => expect(await contents(reader, 'd')).toEqual([]), { timeout: 3000, interval: 20 })
  })

  test('of a unit is changed after it, and not at all where it is rolled back', async () => {
    const { writer, reader } = await pair()
    await writer.messages.append('c', { role: 'user', content: 'one' }, { userId: 'ada' })
    expect(await contents(reader)).toEqual(['one'])
    await writer
      .unitOfWork(async (unit) => {
        await unit.messages.append('c', { role: 'user', content: 'two' })
        throw new Error('undone')
      })
      .catch(() => undefined)
    expect(await contents(writer)).toEqual(['one'])
    await writer.unitOfWork(async (unit) => {
      await unit.messages.append('c', { role: 'user', content: 'two' })
      await unit.cache.set('profile:ada', { city: 'Lisbon' })
    })
    expect(await contents(writer)).toEqual(['one', 'two'])
    expect(await reader.cache.get('profile:ada')).toEqual({ city: 'Lisbon' })
    await writer.settle()
    expect((await writer.followers()).map(({ depth, parked }) => depth + parked)).toEqual([0])
  })

  test('to a search is kept until anything in the tenant changes', async () => {
    const { writer, reader, plain } = await pair()
    await writer.memories.add({ userId: 'ada', type: 'fact', content: 'lives in Lisbon' })
    const search = (memory: Memory) => memory.search({ text: 'Lisbon', kinds: ['memory'], explain: true })
    expect(await search(reader)).toEqual(await search(plain))
    expect(await search(reader)).toEqual(await search(plain))
    const second = await writer.memories.add({ userId: 'ada', type: 'fact', content: 'Lisbon is warm' })
    expect((await search(writer)).map(({ record }) => record.id)).toContain(second.id)
    await vi.waitFor(async () => expect(await search(reader)).toHaveLength(2), { timeout: 3000, interval: 20 })
    const soon = new Date(Date.now() + 700)
    await writer.memories.update(second.id, { expiresAt: soon })
    await vi.waitFor(async () => expect(await search(reader)).toHaveLength(1), { timeout: 3000, interval: 20 })
  })

  test('is compared with the primary, and forgotten where it is not as it is there', async () => {
    const [primary, cache] = [await primaryUrl(), cacheUrl()]
    const memory = await opened({ primary, cache })
    for (const id of ['c', 'd'])
      await memory.messages.append(id, { role: 'user', content: 'original' }, { userId: 'ada' })
    await memory.settle()
    await vi.waitFor(async () => {
      for (const id of ['c', 'd']) await contents(memory, id)
      expect((await memory.verify()).cache).toEqual({ found: 2, stale: 0 })
    })
    const url = new URL(cache)
    const redis = new Redis(`${url.protocol}//${url.host}`)
    const prefix = Buffer.from(url.searchParams.get('prefix') as string).toString('base64url')
    for (const key of await redis.keys(`bruno:{${prefix}.*}:v:*`)) {
      const value = (await redis.get(key)) as string
      if (
        Buffer.from(key.split(':v:')[1] as string, 'base64url')
          .toString()
          .endsWith('wc')
      )
        await redis.set(key, value.replace('original', 'tampered'))
    }
    redis.disconnect()
    expect(await contents(memory)).toEqual(['tampered'])
    expect((await memory.verify()).cache).toEqual({ found: 2, stale: 1 })
    expect((await memory.verify({ repair: true })).cache).toEqual({ found: 2, stale: 1 })
    expect(await contents(memory)).toEqual(['original'])
    expect((await memory.verify()).cache).toMatchObject({ stale: 0 })
  })

  test('of one tenant is never another’s', async () => {
    const { writer, reader } = await pair()
    for (const tenant of ['a', 'a:b', 'A', '1:a'])
      await writer.forTenant(tenant).messages.append('c', { role: 'user', content: tenant }, { userId: 'ada' })
    for (const tenant of ['a', 'a:b', 'A', '1:a', 'a', 'a:b']) {
      const page = await reader.forTenant(tenant).messages.list('c')
      expect(page.items.map(({ content }) => content)).toEqual([tenant])
    }
    expect((await reader.forTenant('b').messages.list('c')).items).toEqual([])
  })

  test('an application’s own keys are its own', async () => {
    const { writer, reader } = await pair()
    await writer.cache.set('w', 1)
    await writer.cache.set('c', [2])
    await writer.messages.append('c', { role: 'user', content: 'one' }, { userId: 'ada' })
    expect(await contents(reader)).toEqual(['one'])
    expect(await reader.cache.get('c')).toEqual([2])
    expect(await reader.cache.get('w')).toBe(1)
  })
})
