import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { columnsOf, dump, fill, found, rowsPerTable } from './support/fill.js'
import { engines, fresh, migratorOf } from './support/fresh.js'
import { buildStarters, type Starters } from './support/starters.js'

let starters: Starters
beforeAll(async () => {
  starters = await buildStarters()
})
afterAll(() => starters[Symbol.dispose]())

describe.each(engines())('$dialect', (engine) => {
  test.each([1, 2])('16 processes starting at once apply each migration once (round %i)', async () => {
    const database = await fresh(engine)
    const reports = await starters.run(database.url, 16)
    expect(reports.map((r) => r?.error)).toEqual(reports.map(() => undefined))
    expect(reports.flatMap((r) => r?.applied ?? []).sort()).toEqual(database.bundle.migrations.map((m) => m.tag))
    expect(await journal(database)).toEqual(database.bundle.migrations.map((m) => m.hash))
    expect((await migratorOf(database).verify()).ok).toBe(true)
  })

  test('a kill after any statement heals at the next start', { timeout: 120_000 }, async () => {
    const database = await fresh(engine)
    await migratorOf(database).up()
    const complete = Object.fromEntries(await database.target.catalog())
    for (let statements = 1; ; statements++) {
      await database.empty()
      const [report] = await starters.run(database.url, 1, statements)
      const before = (await journal(database)).length
      await migratorOf(database).up()
      expect(Object.fromEntries(await database.target.catalog()), `killed after ${statements}`).toEqual(complete)
      expect(await journal(database)).toEqual(database.bundle.migrations.map((m) => m.hash))
      // The one that was not killed ran to its end: every kill before it was inside.
      if (report === null) continue
      expect(before).toBe(database.bundle.migrations.length)
      expect(statements).toBeGreaterThan(database.bundle.migrations.reduce((n, m) => n + m.statements.length, 0))
      return
    }
  })

  test('a kill while a filled database is upgraded loses no row', { timeout: 120_000 }, async () => {
    const database = await fresh(engine)
    const [initial, search, ...later] = database.bundle.migrations
    const older = { migrations: [initial, search].filter((m) => m !== undefined) }
    const statements = later.reduce((n, m) => n + m.statements.length, 0)
    for (let killed = 3; killed < statements; killed += 9) {
      await database.empty()
      await migratorOf({ target: database.target, bundle: older }).up()
      await fill(database)
      const columns = await columnsOf(database)
      const before = await dump(database, columns)
      expect(await starters.run(database.url, 1, killed)).toEqual([null])
      expect(await dump(database, columns), `killed after ${killed}`).toEqual(before)
      await migratorOf(database).up()
      expect(await dump(database, columns), `killed after ${killed}`).toEqual(before)
      expect(await found(database)).toEqual([rowsPerTable, rowsPerTable, rowsPerTable])
      expect((await migratorOf(database).verify()).ok).toBe(true)
    }
  })
})

async function journal(database: Awaited<ReturnType<typeof fresh>>): Promise<unknown[]> {
  return (await database.target.journal()).map((e) => e.hash)
}
