import { brokenSearchIndexes, examine } from '../backends/sqlite/doctor.js'
import { openMigrationTarget } from '../backends/sqlite/migration.js'
import { createMigrator } from '../migrate/migrator.js'
import {
  type Check,
  checkClient,
  checkContent,
  checkFile,
  checkFolder,
  checkLog,
  checkRest,
  checkSchema,
  checkSearch,
  guarded,
  probe,
} from './doctor-checks.js'
import { type Store, type StoreOptions, withMemory } from './open.js'

/** A file, from the outside in. */
export async function* examineFile(path: string, store: Store, options: StoreOptions): AsyncGenerator<Check> {
  const client = await checkClient()
  yield client
  const file = checkFile(path)
  yield checkFolder(path)
  yield file
  // Without a client or a readable file there is nothing further to look at.
  if (client.status === 'failure' || (file.status === 'failure' && !file.found.endsWith('is read-only'))) return
  yield* await guarded('schema', 'see `bruno-memory migrate status`', async () => [await schema(path)])
  yield* await guarded('content', 'restore a backup', () => content(path))
  if (file.status === 'failure') return
  const busy = 'stop what holds the file, and try again'
  yield* await guarded('search index', busy, async () => [checkSearch(await brokenSearchIndexes(path))])
  yield* await guarded('probe', busy, async () => [
    await withMemory(store, options, (memory) => probe(memory, 'see the message; another process may hold the file')),
  ])
}

async function schema(path: string): Promise<Check> {
  const { target, close } = await openMigrationTarget(path, { write: false })
  try {
    const bundle = await import('../migrate/bundled/sqlite.js')
    return checkSchema(await createMigrator({ target, bundle }).status())
  } finally {
    await close()
  }
}

async function content(path: string): Promise<Check[]> {
  const found = await examine(path, Date.now())
  return [...checkContent(found), checkLog(path, found), ...checkRest(found)]
}
