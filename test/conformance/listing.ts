import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { Page, PageOptions } from '../../src/contract/page.js'
import { refused } from './expecting.js'
import { backward, collect, forward } from './fixtures.js'
import type { Ground } from './harness.js'

/** A listing that goes by keyset pages, as all but that of messages do. */
export interface Listing<T> {
  /** Makes records; answers their keys in the order that the listing promises. */
  fill(memory: Memory, count: number): Promise<readonly string[]>
  /** Makes a record that stands in front of all others; answers its key. */
  addFirst(memory: Memory): Promise<string>
  remove(memory: Memory, key: string): Promise<unknown>
  list(memory: Memory, options?: PageOptions): Promise<Page<T>>
  each?(memory: Memory): AsyncIterable<T>
  key(item: T): string
}

export const GARBAGE = ['', 'garbage', 'eyJhIjoxfQ', '0', '-1', "' OR 1=1 --", '\u{1f4a5}', 'a\0b', 'x'.repeat(10_000)]

/** What every listing owes, whatever it lists. */
export function itPages<T>(ground: Ground, listing: Listing<T>): void {
  const keysOf = (page: Page<T>) => page.items.map((item) => listing.key(item))
  /** A list call that asks for one page after another. */
  const pager = (memory: Memory) => (options: PageOptions) => listing.list(memory, options)

  itWalks(ground, listing, keysOf, pager)

  it('a page stays right while rows come and go', async () => {
    const memory = await ground.open()
    const keys = await listing.fill(memory, 9)
    const first = await listing.list(memory, { limit: 3 })
    await listing.addFirst(memory)
    for (const gone of [keys[2], keys[3]]) if (gone !== undefined) await listing.remove(memory, gone)
    const second = await listing.list(memory, { after: first.after ?? undefined, limit: 3 })
    expect(keysOf(second)).toEqual([keys[4], keys[5], keys[6]])
    expect(second.hasMore).toBe(true)
    const back = await listing.list(memory, { before: second.before ?? undefined, limit: 2 })
    expect(keysOf(back)).toEqual([keys[0], keys[1]])
  })

  it('a row that came in front is found by going back', async () => {
    const memory = await ground.open()
    const keys = await listing.fill(memory, 3)
    const first = await listing.list(memory)
    const newcomer = await listing.addFirst(memory)
    const front = await listing.list(memory, { before: first.before ?? undefined })
    expect(keysOf(front)).toEqual([newcomer])
    expect(front.hasMore).toBe(false)
    expect(keysOf(await listing.list(memory))).toEqual([newcomer, ...keys])
  })

  it('refuses what is not a cursor, two cursors at once, and a limit out of range', async () => {
    const memory = await ground.open()
    await listing.fill(memory, 2)
    const { before, after } = await listing.list(memory)
    for (const cursor of GARBAGE) {
      await refused(listing.list(memory, { after: cursor }), 'validation', 'after')
      await refused(listing.list(memory, { before: cursor }), 'validation', 'before')
    }
    await refused(listing.list(memory, { before: before ?? '', after: after ?? '' }), 'validation', /^(before|after)$/)
    for (const limit of [0, -1, 1.5, 1001, Number.NaN, Number.POSITIVE_INFINITY])
      await refused(listing.list(memory, { limit }), 'validation', 'limit')
    await refused(listing.list(memory, { limit: '5' as unknown as number }), 'validation', 'limit')
    await refused(listing.list(memory, { lmit: 5 } as PageOptions), 'validation', 'lmit')
  })
}

function itWalks<T>(
  ground: Ground,
  listing: Listing<T>,
  keysOf: (page: Page<T>) => string[],
  pager: (memory: Memory) => (options: PageOptions) => Promise<Page<T>>,
): void {
  it('an empty listing is an empty page without cursors', async () => {
    const memory = await ground.open()
    expect(await listing.list(memory)).toEqual({ items: [], before: null, after: null, hasMore: false })
    if (listing.each) expect(await collect(listing.each(memory))).toEqual([])
  })

  it('answers in its order, whole, in pages of any size and in both directions', async () => {
    const memory = await ground.open()
    const keys = await listing.fill(memory, 11)
    for (const limit of [1, 2, 5, 10, 11, 12]) {
      const start = await listing.list(memory, { limit })
      expect(keysOf(start)).toEqual(keys.slice(0, limit))
      const there = await forward(pager(memory), start, limit)
      expect(there.map((item) => listing.key(item))).toEqual(keys)
    }
    const whole = await listing.list(memory)
    expect(keysOf(whole)).toEqual(keys)
    const last = await listing.list(memory, { before: whole.after ?? undefined, limit: 3 })
    const back = await backward(pager(memory), last, 3)
    expect(back.map((item) => listing.key(item))).toEqual(keys.slice(0, -1))
  })

  it('says exactly whether there is more in the direction asked for', async () => {
    const memory = await ground.open()
    await listing.fill(memory, 4)
    expect((await listing.list(memory, { limit: 3 })).hasMore).toBe(true)
    const all = await listing.list(memory, { limit: 4 })
    expect(all.hasMore).toBe(false)
    const behind = await listing.list(memory, { after: all.after ?? undefined })
    expect(behind).toEqual({ items: [], before: null, after: null, hasMore: false })
    const inFront = await listing.list(memory, { before: all.before ?? undefined })
    expect(inFront).toEqual({ items: [], before: null, after: null, hasMore: false })
    expect((await listing.list(memory, { before: all.after ?? undefined, limit: 2 })).hasMore).toBe(true)
    expect((await listing.list(memory, { before: all.after ?? undefined, limit: 3 })).hasMore).toBe(false)
  })

  it('iterates over more than a page', async () => {
    const memory = await ground.open()
    const keys = await listing.fill(memory, 60)
    expect(keysOf(await listing.list(memory))).toEqual(keys.slice(0, 50))
    if (!listing.each) return
    const all = await collect(listing.each(memory))
    expect(all.map((item) => listing.key(item))).toEqual(keys)
  })
}
