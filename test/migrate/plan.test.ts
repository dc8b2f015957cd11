import { describe, expect, test } from 'vitest'
import type { BundledMigration } from '../../src/migrate/bundle.js'
import { plan } from '../../src/migrate/plan.js'

const migration = (tag: string, when: number): BundledMigration => ({
  tag,
  when,
  hash: `hash of ${tag}`,
  statements: ['SELECT 1'],
})
const known = [migration('0000_first', 100), migration('0001_second', 200), migration('0002_third', 300)]
const entry = (tag: string, createdAt: number) => ({ hash: `hash of ${tag}`, createdAt })
const tags = (list: readonly BundledMigration[]) => list.map((m) => m.tag)

describe('plan', () => {
  test('an empty journal leaves everything pending', () => {
    const now = plan(known, [])
    expect(tags(now.pending)).toEqual(['0000_first', '0001_second', '0002_third'])
    expect(now).toMatchObject({ applied: [], problems: [] })
  })

  test('what is applied is no longer pending', () => {
    const now = plan(known, [entry('0000_first', 100), entry('0001_second', 200)])
    expect(tags(now.applied)).toEqual(['0000_first', '0001_second'])
    expect(tags(now.pending)).toEqual(['0002_third'])
    expect(now.problems).toEqual([])
  })

  test('an edited migration is named', () => {
    const now = plan(known, [entry('0000_first', 100), { hash: 'other', createdAt: 200 }])
    expect(now.problems).toMatchObject([{ kind: 'edited', migration: '0001_second' }])
    expect(tags(now.pending)).toEqual(['0002_third'])
  })

  test('a migration whose time was changed is named, and not run again', () => {
    const now = plan(known, [entry('0000_first', 100), entry('0001_second', 190)])
    expect(now.problems).toMatchObject([{ kind: 'edited', migration: '0001_second' }])
    expect(tags(now.pending)).toEqual(['0002_third'])
  })

  test('a migration merged late, behind newer ones that are applied, is named', () => {
    const now = plan(known, [entry('0000_first', 100), entry('0002_third', 300)])
    expect(now.problems).toMatchObject([{ kind: 'late-merged', migration: '0001_second' }])
  })

  test('an applied migration that is missing here is named by its time and hash', () => {
    const now = plan(known, [entry('0000_first', 100), entry('lost', 150), entry('0001_second', 200)])
    expect(now.problems).toMatchObject([{ kind: 'missing', migration: '1970-01-01T00:00:00.150Z (hash of lost)' }])
  })

  test('a database newer than the code is named as such', () => {
    const now = plan(known, [...known.map((m) => entry(m.tag, m.when)), entry('future', 400)])
    expect(now.problems).toMatchObject([{ kind: 'newer', migration: '1970-01-01T00:00:00.400Z (hash of futu)' }])
    expect(now.problems[0]?.message).toContain('the database is newer than this version')
  })

  test('a journal row with an absurd time is reported, not thrown over', () => {
    expect(plan(known, [{ hash: 'x', createdAt: 1e17 }]).problems[0]?.kind).toBe('newer')
    expect(plan(known, [{ hash: 'x', createdAt: Number.NaN }]).problems).toHaveLength(1)
  })
})
