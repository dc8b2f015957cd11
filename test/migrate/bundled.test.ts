import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { describe, expect, test } from 'vitest'
import { frozen, stale } from '../../scripts/embed-migrations.js'
import { readFrozen } from '../../scripts/lib/migration-folders.js'
import { sqlite } from './support/databases.js'
import { fresh, migratorOf } from './support/fresh.js'
import { repository } from './support/workspace.js'

const folder = join(repository, 'migrations')

describe('the embedded migrations', () => {
  test('are those of the folders', () => {
    expect(stale()).toEqual([])
  })

  test.each(['sqlite', 'postgresql'] as const)(
    'carry the hashes and times that Drizzle computes for %s',
    async (dialect) => {
      const { migrations } = (await import(
        `../../src/migrate/bundled/${dialect}.ts`
      )) as typeof import('../../src/migrate/bundled/sqlite.js')
      const drizzle = readMigrationFiles({ migrationsFolder: join(folder, dialect) })
      expect(migrations.map(({ hash, when }) => ({ hash, when }))).toEqual(
        drizzle.map(({ hash, folderMillis }) => ({ hash, when: folderMillis })),
      )
      expect(migrations.map((m) => m.statements)).toEqual(drizzle.map((m) => m.sql.map((s) => s.trim())))
      for (const m of migrations) {
        const text = readFileSync(join(folder, dialect, `${m.tag}.sql`))
        expect(m.hash).toBe(createHash('sha256').update(text).digest('hex'))
      }
    },
  )

  test('are all frozen', () => {
    expect(readFrozen(folder)).toEqual(frozen(folder))
  })

  test('are previewed as the text of their files', async () => {
    const database = await fresh(sqlite)
    const preview = await migratorOf(database).preview()
    for (const m of database.bundle.migrations) {
      expect(preview).toContain(
        `-- ${m.tag}\n${readFileSync(join(folder, 'sqlite', `${m.tag}.sql`), 'utf8').slice(0, 100)}`,
      )
    }
    await migratorOf(database).up()
    expect(await migratorOf(database).preview()).toBe('')
  })
})
