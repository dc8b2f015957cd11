import { afterEach, describe, expect, it } from 'vitest'
import { ConflictError } from '../../src/errors.js'
import { refused } from '../conformance/expecting.js'
import { ADA, contentsOf, idsOf, says } from '../conformance/fixtures.js'
import { ids, vectorOf } from '../conformance/vectors-fixtures.js'
import { KINDS, memoriesOf } from './memories.js'

describe.each(KINDS)('units of $name', (kind) => {
  const { create, reopen, dispose } = memoriesOf(kind)
  afterEach(dispose)

  it('nothing of a unit is there before its end, and all of it after', async () => {
    const memory = await create()
    const other = await reopen(memory)
    await memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', [says('the ferry', { id: 'm' })], { userId: ADA })
      await unit.memories.add({ id: 'e', userId: ADA, content: 'a walnut' })
      await unit.documents.upsert({ namespace: 'n', id: 'd', content: 'music' })
      expect(idsOf((await unit.messages.list('c')).items)).toEqual(['m'])
      expect((await unit.memories.get('e'))?.content).toBe('a walnut')
      expect((await unit.documents.namespaces()).items).toEqual(['n'])
      expect(await ids(unit, { text: 'ferry', mode: 'vector', kinds: ['message'] })).toEqual(['m'])
      expect(await ids(other, { text: 'ferry', mode: 'vector' })).toEqual([])
      expect(await unit.statistics()).toMatchObject({ messages: 1, memories: 1, documents: 1 })
    })
    expect((await ids(other, { text: 'ferry walnut music', mode: 'vector' })).sort()).toEqual(['d', 'e', 'm'])
    expect(await other.statistics()).toMatchObject({ messages: 1, memories: 1, documents: 1 })
  })

  it('a unit that throws leaves nothing: no record, no vector, no change, no deletion', async () => {
    const memory = await create()
    await memory.memories.addMany([
      { id: 'stays', userId: ADA, content: 'a garden' },
      { id: 'changed', userId: ADA, content: 'a train' },
    ])
    const failed = memory.unitOfWork(async (unit) => {
      await unit.memories.delete('stays')
      await unit.memories.update('changed', { content: 'a cello', tags: ['x'] })
      await unit.memories.add({ id: 'new', userId: ADA, content: 'a cello' })
      await unit.messages.append('c', [says('a cello')], { userId: ADA })
      expect(idsOf((await unit.memories.list()).items).sort()).toEqual(['changed', 'new'])
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    const { items } = await memory.memories.list()
    expect(contentsOf(items).sort()).toEqual(['a garden', 'a train'])
    expect((await memory.messages.list('c')).items).toEqual([])
    for (const { score } of await memory.search({ text: 'cello', mode: 'vector' })) expect(score).toBeLessThan(0.5)
  })

  it('reads inside a unit are in order, with what it has written, changed and deleted', async () => {
    const memory = await create()
    await memory.memories.addMany(
      [0.1, 0.3, 0.5, 0.7, 0.9].map((importance) => ({ id: `${importance}`, userId: ADA, content: 'x', importance })),
    )
    await memory.unitOfWork(async (unit) => {
      await unit.memories.update('0.9', { importance: 0.2 })
      await unit.memories.delete('0.5')
      await unit.memories.add({ id: '0.4', userId: ADA, content: 'y', importance: 0.4 })
      const first = await unit.memories.list({ limit: 2 })
      expect(idsOf(first.items)).toEqual(['0.7', '0.4'])
      expect(first.hasMore).toBe(true)
      const second = await unit.memories.list({ after: first.after as string, limit: 5 })
      expect(idsOf(second.items)).toEqual(['0.3', '0.9', '0.1'])
      expect(second.hasMore).toBe(false)
      expect((await unit.statistics()).memories).toBe(5)
    })
    expect(idsOf((await memory.memories.list()).items)).toEqual(['0.7', '0.4', '0.3', '0.9', '0.1'])
  })

  it('a savepoint that fails leaves what came before it', async () => {
    const memory = await create()
    await memory.unitOfWork(async (unit) => {
      await unit.memories.add({ id: 'a', userId: ADA, content: 'x' })
      const inner = unit.unitOfWork(async (nested) => {
        await nested.memories.update('a', { content: 'changed' })
        await nested.memories.add({ id: 'b', userId: ADA, content: 'x' })
        throw new Error('no')
      })
      await expect(inner).rejects.toThrow('no')
      await unit.unitOfWork((nested) => nested.memories.add({ id: 'c', userId: ADA, content: 'z' }))
    })
    expect((await memory.memories.list()).items.map(({ id, content }) => id + content).sort()).toEqual(['ax', 'cz'])
  })

  it('a unit that writes over what somebody else has changed meanwhile is a conflict', async () => {
    const memory = await create()
    await memory.memories.add({ id: 'm', userId: ADA, content: 'first' })
    const raced = memory.unitOfWork(async (unit) => {
      await unit.memories.update('m', { content: 'of the unit' })
      const other = await reopen(memory)
      await other.memories.update('m', { content: 'of another' })
    })
    await expect(raced).rejects.toBeInstanceOf(ConflictError)
    expect((await memory.memories.get('m'))?.content).toBe('of another')
  })

  it('an operation that must run once needs a store that can promise it', async () => {
    const memory = await create()
    const add = () => memory.memories.add({ userId: ADA, content: 'x' }, { operationId: 'o' })
    await refused(add, 'unsupported')
    expect((await memory.memories.list()).items).toEqual([])
  })

  it('appends that nobody waits for keep the order in which they were made', async () => {
    const memory = await create()
    const other = await reopen(memory, { clock: () => Date.now() + 60_000 })
    const append = (of: typeof memory, n: number) => of.messages.append('c', says(`n${n}`), { userId: ADA })
    await Promise.all(Array.from({ length: 20 }, (_, n) => append(memory, n)))
    await append(other, 20)
    for (const n of [21, 22, 23]) await append(memory, n)
    const { items } = await memory.messages.list('c', { last: 100 })
    expect(contentsOf(items)).toEqual(Array.from({ length: 24 }, (_, n) => `n${n}`))
    expect(new Set(items.map(({ position }) => position)).size).toBe(24)
  })

  it('writers of one record side by side: each change is there, or refused', async () => {
    const memory = await create()
    const other = await reopen(memory)
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    const changes = Array.from({ length: 12 }, (_, i) =>
      (i % 2 ? memory : other).memories.update('m', { metadata: { [`k${i}`]: i } }),
    )
    const outcomes = await Promise.allSettled(changes)
    const done = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [`k${i}`] : []))
    const stored = await memory.memories.get('m')
    if (kind.name === 'qdrant') {
      expect(Object.keys(stored?.metadata ?? {}).sort()).toEqual(done.sort())
      expect(stored?.version).toBe(1 + done.length)
    }
    expect(stored?.content).toBe('x')
    expect(await ids(memory, { vector: vectorOf('x'), mode: 'vector' })).toEqual(['m'])
  })
})
