import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { sqliteEngine } from '../../src/backends/sqlite/engine.js'
import { SqliteSession } from '../../src/backends/sqlite/session.js'
import { SignBits } from '../../src/backends/sqlite/sign-bits.js'
import { Looks } from '../../src/backends/sqlite/vectors.js'
import { signBits } from '../../src/embeddings/vector.js'

const distance = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, byte, i) => sum + (byte ^ (b[i] as number)).toString(2).replaceAll('0', '').length, 0)

test('the nearest by signs are those that differ in the fewest bits, with all that are as near as the last', () => {
  const rows = fc.integer({ min: 1, max: 9 }).chain((bytes) => {
    const bits = fc.uint8Array({ minLength: bytes, maxLength: bytes })
    return fc.tuple(bits, fc.array(bits, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 40 }))
  })
  fc.assert(
    fc.property(rows, ([question, all, n]) => {
      const kept = new SignBits(question.length)
      all.forEach((each, i) => {
        kept.add(i + 10, Buffer.from(each))
      })
      const distances = all.map((each) => distance(each, question))
      const bound = [...distances].sort((a, b) => a - b)[Math.min(n, all.length) - 1] as number
      const wanted = distances.flatMap((d, i) => (d <= bound ? [i + 10] : []))
      expect(kept.nearest(Buffer.from(question), n)).toEqual(wanted)
      expect(kept.last).toBe(all.length + 9)
    }),
  )
})

test('bits of another width are left out', () => {
  const kept = new SignBits(2)
  kept.add(1, Buffer.from([1, 2, 3]))
  expect(kept.count).toBe(0)
  expect(kept.nearest(Buffer.from([0, 0]), 5)).toEqual([])
})

test('rows take no more memory than they may', () => {
  const kept = new SignBits(8, 3000 * 16)
  for (let seq = 1; seq <= 3000; seq++) kept.add(seq, Buffer.alloc(8))
  expect([kept.room, kept.size]).toEqual([0, 3000 * 16])
})

describe('looks', () => {
  const NEAR = new Float32Array(64).fill(1)
  const FAR = new Float32Array(64).fill(-1)
  /** A row of 64 bits in memory, with its number. */
  const ROW = 16

  /** A store of sign bits alone, and looks over it that keep so many rows. */
  function ground(rows: number) {
    const db = new Sqlite(':memory:')
    db.exec('create table bruno_embedding_bits (part integer, seq integer, bits blob, primary key (part, seq))')
    const insert = db.prepare('insert into bruno_embedding_bits values (?, ?, ?)')
    const remove = db.prepare('delete from bruno_embedding_bits where part = ? and seq between ? and ?')
    const session = new SqliteSession(db, 'read')
    const all = vi.spyOn(session, 'all')
    const looks = new Looks(sqliteEngine(), rows * ROW)
    return {
      add(part: number, from: number, to: number, vector = NEAR) {
        for (let seq = from; seq <= to; seq++) insert.run(part, seq, signBits(vector))
      },
      remove: (part: number, from: number, to: number) => remove.run(part, from, to),
      look: (part: number, n = 10) => looks.look(session, part, NEAR, n),
      /** Statements, and the rows of bits that they answered, since the last call. */
      work() {
        const rows = all.mock.results.flatMap(({ value }) => value as object[]).filter((row) => 'bits' in row)
        const statements = all.mock.calls.length
        all.mockClear()
        return { statements, rows: rows.length }
      },
    }
  }

  test('do not read what is too large for them, and count it again after a while', async () => {
    const { add, remove, look, work } = ground(100)
    add(1, 1, 101)
    expect(await look(1)).toBeNull()
    expect(work()).toEqual({ statements: 1, rows: 0 })
    remove(1, 1, 1)
    for (let i = 0; i < 1000; i++) expect(await look(1)).toBeNull()
    expect(work()).toEqual({ statements: 0, rows: 0 })
    expect(await look(1)).toMatchObject({ all: true, seqs: { length: 100 } })
    expect(work().rows).toBe(100)
    add(1, 102, 102)
    expect([await look(1), await look(1)]).toEqual([null, null])
  })

  test('read a part once, and then what is new', async () => {
    const { add, look, work } = ground(100)
    add(1, 1, 50)
    await look(1)
    expect(work().rows).toBe(50)
    await look(1)
    expect(work().rows).toBe(0)
    add(1, 51, 53)
    expect(await look(1)).toMatchObject({ seqs: { length: 53 } })
    expect(work().rows).toBe(3)
  })

  test('find no rows that are gone in the place of others', async () => {
    const { add, remove, look, work } = ground(1000)
    add(1, 1, 40)
    add(1, 41, 80, FAR)
    expect((await look(1, 40))?.seqs.at(-1)).toBe(40)
    work()
    remove(1, 1, 9)
    expect((await look(1, 40))?.seqs[0]).toBe(1)
    expect(work().rows).toBe(0)
    remove(1, 10, 40)
    expect((await look(1, 40))?.seqs).toEqual(Array.from({ length: 40 }, (_, i) => i + 41))
    remove(1, 41, 80)
    expect(await look(1, 40)).toEqual({ seqs: [], all: true })
  })

  test('make room of rows that are gone', async () => {
    const { add, remove, look } = ground(100)
    add(1, 1, 100)
    await look(1)
    remove(1, 1, 50)
    add(1, 101, 110)
    expect((await look(1))?.seqs).toEqual(Array.from({ length: 60 }, (_, i) => i + 51))
  })

  test('give up the part that was looked at longest ago where all are too large together', async () => {
    const { add, look, work } = ground(3000)
    add(1, 1, 1000)
    await look(1)
    add(1, 1001, 2000)
    await look(1)
    add(2, 3001, 4000)
    await look(2)
    work()
    await look(2)
    expect(work().rows).toBe(0)
    await look(1)
    expect(work().rows).toBe(2000)
  })
})
