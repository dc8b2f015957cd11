import { inject, onTestFinished } from 'vitest'
import { createMigrator, type Migrator } from '../../../src/migrate/migrator.js'
import { type Engine, postgresql, sqlite, type TestDatabase } from './databases.js'

/** Both engines, for `describe.each`. */
export const engines = (): readonly Engine[] => [sqlite, postgresql(inject('servers').POSTGRESQL_URL)]

/** A database that is gone when the test ends. */
export async function fresh(engine: Engine): Promise<TestDatabase> {
  const database = await engine.create()
  onTestFinished(() => database.close())
  return database
}

export const migratorOf = ({ target, bundle }: Pick<TestDatabase, 'target' | 'bundle'>): Migrator =>
  createMigrator({ target, bundle })
