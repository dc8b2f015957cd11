import { createMigrator } from '../../migrate/migrator.js'
import { type ReembedReport, type ReembedSettings, reembedStore } from '../sql/reembed.js'
import { makeRunner } from './backend.js'
import { sqliteEngine } from './engine.js'
import { WriteGate } from './gate.js'
import { sqliteMigrationTarget } from './migration.js'
import { openWriter } from './open.js'
import { SqliteSession } from './session.js'
import { addVectorFunctions } from './vectors.js'

export interface ReembedOptions extends ReembedSettings {
  readonly databasePath: string
}

/** Makes the vectors of every record anew. No other process may have the store open. */
export async function reembedSqlite(options: ReembedOptions): Promise<ReembedReport> {
  const client = await openWriter({ databasePath: options.databasePath, durability: 'power', busyTimeout: 5000 })
  try {
    const bundle = await import('../../migrate/bundled/sqlite.js')
    await createMigrator({ target: sqliteMigrationTarget(client), bundle }).up()
    await addVectorFunctions([client])
    const gate = new WriteGate(new SqliteSession(client, 'write'), { busyTimeout: 5000, writeTimeout: 30_000 })
    const dropOthers = async (space: string) =>
      client.prepare('delete from bruno_embeddings where space <> ?').run(space).changes
    return await reembedStore({ engine: sqliteEngine(), runner: makeRunner(gate, null, client), dropOthers }, options)
  } finally {
    await options.vectors.embedder?.close()
    client.close()
  }
}
