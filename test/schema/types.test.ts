/** Proofs by the compiler: `tsc` fails here, naming the table, where a row's type depends on the dialect. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { Row } from '../../schema/column.js'
import * as postgresql from '../../schema/postgresql.js'
import * as sqlite from '../../schema/sqlite.js'
import * as neutral from '../../schema/tables.js'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Names whose proof is not true. */
type Failing<T> = { [N in keyof T]: T[N] extends true ? never : N }[keyof T]
type Name = Exclude<keyof typeof neutral, 'revision'>

type Rows = { [N in Name]: Equal<(typeof sqlite)[N]['$inferSelect'], (typeof postgresql)[N]['$inferSelect']> }
type Inserts = { [N in Name]: Equal<(typeof sqlite)[N]['$inferInsert'], (typeof postgresql)[N]['$inferInsert']> }
type Stated = { [N in Name]: Equal<(typeof sqlite)[N]['$inferSelect'], Row<(typeof neutral)[N]>> }

describe('row types', () => {
  test('every table yields the same row in both dialects', () => {
    expectTypeOf<Failing<Rows>>().toEqualTypeOf<never>()
  })

  test('every table takes the same row in both dialects', () => {
    expectTypeOf<Failing<Inserts>>().toEqualTypeOf<never>()
  })

  test('every table yields the row that the neutral schema states', () => {
    expectTypeOf<Failing<Stated>>().toEqualTypeOf<never>()
  })

  test('columns with stated values take no others', () => {
    type Role = 'system' | 'user' | 'assistant' | 'tool' | 'function'
    expectTypeOf<(typeof sqlite.messages)['$inferInsert']['role']>().toEqualTypeOf<Role>()
    expectTypeOf<(typeof postgresql.messages)['$inferInsert']['role']>().toEqualTypeOf<Role>()
  })

  test('the proof itself tells different types apart', () => {
    expectTypeOf<Equal<{ a: string }, { a: string | null }>>().toEqualTypeOf<false>()
    expectTypeOf<Equal<{ a: Date }, { a: number }>>().toEqualTypeOf<false>()
    expectTypeOf<Failing<{ users: false; messages: true }>>().toEqualTypeOf<'users'>()
  })

  test('no dialect leaves a table out', () => {
    expect(Object.keys(sqlite).sort()).toEqual(Object.keys(neutral).sort())
    expect(Object.keys(postgresql).sort()).toEqual(Object.keys(neutral).sort())
  })
})
