import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { lintMigrations } from '../../scripts/lint-migrations.js'
import type { Bundle } from '../../src/migrate/bundle.js'
import { migrations } from '../../src/migrate/bundled/sqlite.js'
import { createMigrator } from '../../src/migrate/migrator.js'
import type { TestDatabase } from './support/databases.js'
import { columnsOf, dump, fill, found, rowsPerTable } from './support/fill.js'
import { engines, fresh, migratorOf } from './support/fresh.js'
import { generatedRebuild, safeRebuild } from './support/rebuild.js'
import { Workspace } from './support/workspace.js'

function workspace(): Workspace {
  const made = new Workspace()
  onTestFinished(() => made[Symbol.dispose]())
  return made
}

type Upgrade = (database: TestDatabase, made: Workspace) => Promise<void>

const byKit: Upgrade = async (database, made) => {
  expect(await made.kit(['migrate'], database.url)).toMatchObject({ exitCode: 0 })
}
const byOurs: Upgrade = async (database, made) => {
  await over(database, made.bundle(database.dialect)).up()
}
const over = (database: TestDatabase, bundle: Bundle) => createMigrator({ target: database.target, bundle })

const both = [
  { name: 'drizzle-kit', upgrade: byKit, other: byOurs },
  { name: 'our migrator', upgrade: byOurs, other: byKit },
]
/** Every version that a database may be at before the newest; both dialects have the same names. */
const older = migrations
  .slice(0, -1)
  .flatMap(({ tag }, i) => both.map((manner) => ({ ...manner, tag, applied: i + 1 })))

describe.each(engines())('on $dialect', (engine) => {
  test('drizzle-kit migrates a new database, and ours finds it current', async () => {
    const database = await fresh(engine)
    const made = workspace()
    await byKit(database, made)
    await migratorOf(database).check()
    expect(await migratorOf(database).verify()).toMatchObject({ ok: true })
    const rows = await database.all('SELECT * FROM bruno_migrations ORDER BY created_at')
    const ours = await fresh(engine)
    await migratorOf(ours).up()
    expect(await ours.all('SELECT * FROM bruno_migrations ORDER BY created_at')).toEqual(rows)
    expect(Object.fromEntries(await ours.target.catalog())).toEqual(Object.fromEntries(await database.target.catalog()))
    // And the other way round: drizzle-kit finds ours current.
    await byKit(ours, made)
    expect(await ours.all('SELECT * FROM bruno_migrations ORDER BY created_at')).toEqual(rows)
  })

  test.each(older)(
    'a filled database at $tag is upgraded by $name, and the other finds it current',
    async ({ upgrade, other, applied, tag }) => {
      const database = await fresh(engine)
      const made = workspace().cut(applied)
      await other(database, made)
      const status = await migratorOf(database).status()
      expect(status.applied.at(-1)?.tag).toBe(tag)
      await fill(database)
      const columns = await columnsOf(database)
      const before = await dump(database, columns)
      made.restore()
      await upgrade(database, made)
      await other(database, made)
      expect(await dump(database, columns)).toEqual(before)
      expect(await found(database)).toEqual([rowsPerTable, rowsPerTable, rowsPerTable])
      expect(await migratorOf(database).verify()).toMatchObject({ ok: true })
      // And the triggers follow what is written from here on, cascades included.
      await database.exec("UPDATE bruno_documents SET search_text = 'abcdefgh another' WHERE id = 'key 1'")
      await database.exec("DELETE FROM bruno_users WHERE id = 'key 2'")
      expect(await found(database)).toEqual([rowsPerTable - 1, rowsPerTable - 1, rowsPerTable - 1])
    },
  )

  test.each(both)(
    'a later migration over a filled database keeps every row under $name',
    async ({ upgrade, other }) => {
      const database = await fresh(engine)
      const made = workspace()
      await migratorOf(database).up()
      await fill(database)
      const before = await dump(database)
      const sqlite = engine.dialect === 'sqlite'
      made.add(
        engine.dialect,
        'later',
        sqlite ? safeRebuild : 'ALTER TABLE bruno_conversations ADD CONSTRAINT later CHECK (last_position >= 0)',
      )
      await upgrade(database, made)
      await other(database, made)
      expect(await dump(database)).toEqual(before)
      expect(await found(database)).toEqual([rowsPerTable, rowsPerTable, rowsPerTable])
      expect(await over(database, made.bundle(engine.dialect)).verify()).toMatchObject({ ok: true })
      expect(await migratorOf(database).status()).toMatchObject({ problems: [{ kind: 'newer' }] })
    },
  )

  test('a second generate changes nothing, and check passes', async () => {
    const made = workspace()
    const database = engine.dialect === 'sqlite' ? './memory.db' : 'postgres://localhost/none'
    const journal = () => readFileSync(join(made.migrations, engine.dialect, 'meta', '_journal.json'), 'utf8')
    const before = journal()
    const generate = await made.kit(['generate'], database)
    expect(generate.output).toContain('No schema changes')
    expect(generate.exitCode).toBe(0)
    expect(journal()).toBe(before)
    expect(await made.kit(['check'], database)).toMatchObject({ exitCode: 0 })
  })
})

const sqlite = engines()[0] as ReturnType<typeof engines>[number]

describe('the rebuild that drizzle-kit generates for SQLite', () => {
  async function rebuilt(upgrade: Upgrade): Promise<Record<string, number>> {
    const database = await fresh(sqlite)
    const made = workspace()
    await migratorOf(database).up()
    await fill(database)
    made.add('sqlite', 'rebuild', generatedRebuild)
    await upgrade(database, made)
    const rows = await dump(database)
    return { conversations: rows.bruno_conversations?.length ?? 0, messages: rows.bruno_messages?.length ?? 0 }
  }

  test('deletes all messages under drizzle-kit, which is why the lint refuses it', async () => {
    expect(await rebuilt(byKit)).toEqual({ conversations: rowsPerTable, messages: 0 })
    const made = workspace()
    const tag = made.add('sqlite', 'rebuild', generatedRebuild)
    expect(lintMigrations(made.migrations).join()).toContain(
      `sqlite/${tag}: rows of bruno_messages are lost under drizzle-kit`,
    )
  })

  test('keeps all messages under our migrator', async () => {
    expect(await rebuilt(byOurs)).toEqual({ conversations: rowsPerTable, messages: rowsPerTable })
  })
})
