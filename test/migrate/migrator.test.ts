import { describe, expect, test } from 'vitest'
import { MigrationError } from '../../src/errors.js'
import type { BundledMigration } from '../../src/migrate/bundle.js'
import { createMigrator, type MigrationProgress } from '../../src/migrate/migrator.js'
import type { MigrationTarget } from '../../src/migrate/target.js'
import type { TestDatabase } from './support/databases.js'
import { engines, fresh, migratorOf } from './support/fresh.js'

const hour = 3_600_000

const tags = (database: TestDatabase): string[] => database.bundle.migrations.map((m) => m.tag)
const next = (database: TestDatabase, n = 0): string =>
  `${String(database.bundle.migrations.length + n).padStart(4, '0')}_added`

/** The migrations of the database with more after them. */
function extended(database: TestDatabase, ...texts: string[][]): BundledMigration[] {
  const { migrations } = database.bundle
  const last = migrations.at(-1)?.when ?? 0
  const added = texts.map((statements, i) => ({
    tag: `${String(migrations.length + i).padStart(4, '0')}_added`,
    when: last + (i + 1) * hour,
    hash: `hash ${statements.join()}`,
    statements,
  }))
  return [...migrations, ...added]
}

const over = (database: TestDatabase, migrations: readonly BundledMigration[]) =>
  createMigrator({ target: database.target, bundle: { migrations } })

describe.each(engines())('the migrator on $dialect', (engine) => {
  test('brings an empty database to this version and says so as it goes', async () => {
    const database = await fresh(engine)
    const migrator = migratorOf(database)
    const seen: MigrationProgress[] = []
    await expect(migrator.check()).rejects.toThrow('migration 0000_initial is not applied yet')
    expect(await migrator.up({ onProgress: (p) => seen.push(p) })).toEqual({
      applied: tags(database),
      elsewhere: [],
    })
    const all = tags(database)
    expect(seen.map((p) => `${p.state} ${p.migration} ${p.index}/${p.total}`)).toEqual(
      all.flatMap((tag, i) => [`applying ${tag} ${i + 1}/${all.length}`, `applied ${tag} ${i + 1}/${all.length}`]),
    )
    await migrator.check()
    expect(await migrator.status()).toMatchObject({ pending: [], problems: [] })
    expect(await migrator.verify()).toMatchObject({ ok: true, differences: [] })
  })

  test('a database that is current costs one read of the journal', async () => {
    const database = await fresh(engine)
    await migratorOf(database).up()
    const calls: string[] = []
    const target = new Proxy(database.target, {
      get: (t, name: keyof MigrationTarget) => {
        calls.push(name)
        return t[name]
      },
    })
    const migrator = createMigrator({ target, bundle: database.bundle })
    expect(await migrator.up()).toEqual({ applied: [], elsewhere: [] })
    await migrator.check()
    expect(calls).toEqual(['journal', 'journal'])
  })

  test('a migration that fails is taken back whole and named with its statement', async () => {
    const database = await fresh(engine)
    await migratorOf(database).up()
    const before = Object.fromEntries(await database.target.catalog())
    const migrator = over(
      database,
      extended(database, ['CREATE TABLE bruno_new (id integer)', 'INSERT INTO bruno_absent VALUES (1)']),
    )
    const error = await migrator.up().catch((e: unknown) => e)
    expect(error).toBeInstanceOf(MigrationError)
    expect(error).toMatchObject({
      migration: next(database),
      message: expect.stringContaining(`${next(database)} is taken back: statement 2 failed`),
    })
    expect(Object.fromEntries(await database.target.catalog())).toEqual(before)
    expect(await database.target.journal()).toHaveLength(tags(database).length)
  })

  test('of several pending migrations those before the failing one stay, and the next start goes on', async () => {
    const database = await fresh(engine)
    const good = ['CREATE TABLE bruno_new (id integer)']
    await expect(
      over(database, extended(database, good, ['INSERT INTO bruno_absent VALUES (1)'])).up(),
    ).rejects.toThrow(next(database, 1))
    expect(await over(database, extended(database, good, ['CREATE TABLE bruno_absent (id integer)'])).up()).toEqual({
      applied: [next(database, 1)],
      elsewhere: [],
    })
  })

  test('an edited migration is refused by name, and nothing is run', async () => {
    const database = await fresh(engine)
    await migratorOf(database).up()
    const edited = extended(database, ['CREATE TABLE bruno_new (id integer)']).map((m, i) =>
      i === 1 ? { ...m, hash: 'edited' } : m,
    )
    await expect(over(database, edited).up()).rejects.toMatchObject({
      code: 'migration',
      migration: '0001_search',
      message: expect.stringContaining('0001_search was edited after it was applied'),
    })
    await expect(over(database, edited).check()).rejects.toMatchObject({ migration: '0001_search' })
    expect(await database.target.journal()).toHaveLength(tags(database).length)
  })

  test('a missing migration and one merged late are refused by name', async () => {
    const database = await fresh(engine)
    const three = extended(database, ['CREATE TABLE bruno_new (id integer)'])
    await over(database, three).up()
    const missing = three.filter((_, i) => i !== 1)
    await expect(over(database, missing).up()).rejects.toMatchObject({
      message: expect.stringMatching(/migration .* is missing here/),
    })
    const late = [
      ...three.slice(0, 2),
      { ...(three[1] as BundledMigration), tag: '0001_late', when: (three[1]?.when ?? 0) + 1, hash: 'late' },
      ...three.slice(2),
    ]
    await expect(over(database, late).up()).rejects.toMatchObject({
      migration: '0001_late',
      message: expect.stringContaining('is older than the newest one applied'),
    })
  })

  test('a database newer than the code is refused, and reading it is too', async () => {
    const database = await fresh(engine)
    await over(database, extended(database, ['CREATE TABLE bruno_new (id integer)'])).up()
    await expect(migratorOf(database).up()).rejects.toThrow('the database is newer than this version of bruno-memory')
    await expect(migratorOf(database).check()).rejects.toBeInstanceOf(MigrationError)
    expect(await migratorOf(database).status()).toMatchObject({ problems: [{ kind: 'newer' }] })
  })

  test('a migration that another starter applied meanwhile is left alone', async () => {
    const database = await fresh(engine)
    const slow: MigrationTarget = {
      ...database.target,
      apply: async (migration, decide) => {
        await migratorOf(database).up()
        return database.target.apply(migration, decide)
      },
    }
    expect(await createMigrator({ target: slow, bundle: database.bundle }).up()).toEqual({
      applied: [],
      elsewhere: tags(database),
    })
    expect(await database.target.journal()).toHaveLength(tags(database).length)
  })
})
