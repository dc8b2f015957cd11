import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { ADA, byBytes, idsOf } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'
import { itPages } from './listing.js'

export function describeMemoriesList(harness: Harness): void {
  suite(harness, 'memories: list', ['memories'], itLists)
}

const add = (memory: Memory, id: string, importance: number, at: number) =>
  memory.memories.add({ id, userId: ADA, content: id, importance, createdAt: new Date(at) })

function itLists(ground: Ground): void {
  it('goes by importance, then newest, then id', async () => {
    const memory = await ground.open()
    for (const [id, importance, at] of [
      ['low', 0, 99],
      ['a', 0.5, 10],
      ['\uff5e', 0.5, 10],
      ['\u{1f600}', 0.5, 10],
      ['newer', 0.5, 11],
      ['nearly', 0.5 - Number.EPSILON, 50],
      ['high', 1, 1],
    ] as const)
      await add(memory, id, importance, at)
    const order = ['high', 'newer', '\u{1f600}', '\uff5e', 'a', 'nearly', 'low']
    expect(idsOf((await memory.memories.list()).items)).toEqual(order)
  })

  itPages(ground, {
    async fill(memory, count) {
      const made = Array.from({ length: count }, (_, i) => ({
        id: `m${i}`,
        // Of 16 digits, which not every engine reads as they are written.
        importance: [0, 1 / 7, 0.9352756992289715][i % 3] as number,
        at: Math.floor(i / 4),
      }))
      await Promise.all(made.map(({ id, importance, at }) => add(memory, id, importance, at)))
      return made.sort((a, b) => b.importance - a.importance || b.at - a.at || byBytes(b.id, a.id)).map(({ id }) => id)
    },
    addFirst: async (memory) => (await add(memory, 'first', 1, 0)).id,
    remove: (memory, id) => memory.memories.delete(id),
    list: (memory, options) => memory.memories.list(options),
    each: (memory) => memory.memories.each(),
    key: (entry) => entry.id,
  })
}
