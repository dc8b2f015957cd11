import type { EmbeddingSpace, VectorSettings } from '../../contract/embedder.js'
import { createMigrator } from '../../migrate/migrator.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { Analyzers, createAnalyzer } from '../../search/analyzer.js'
import type { SqlStoreContext } from '../sql/context.js'
import { VectorSettler } from '../sql/settle.js'
import { SqlVectors } from '../sql/vectors.js'
import { makeRunner } from './backend.js'
import { sqliteEngine } from './engine.js'
import { WriteGate } from './gate.js'
import { sqliteMigrationTarget } from './migration.js'
import { openWriter } from './open.js'
import { SqliteSession } from './session.js'
import { addVectorFunctions } from './vectors.js'

export interface ReembedOptions {
  readonly databasePath: string
  readonly vectors: VectorSettings
  /** Deletes the vectors of all other spaces in the end. */
  readonly dropOld?: boolean | undefined
  readonly clock: () => number
  readonly newId: () => string
  /** Called after each batch. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

export interface ReembedReport {
  readonly space: EmbeddingSpace
  /** Vectors that the space has now. */
  readonly vectors: number
  /** Records that the model refused. */
  readonly parked: number
  /** Vectors of other spaces: those that came with their records are in none but theirs. */
  readonly kept: number
  readonly dropped: number
}

/**
 * Makes the vectors of every record anew, in the space of another model, dimension or metric. No other process may have
 * the store open. Ended half-way it goes on where it was, by this or by a program that opens the store with the model.
 */
export async function reembedSqlite(options: ReembedOptions): Promise<ReembedReport> {
  const { clock, newId } = options
  const client = await openWriter({ databasePath: options.databasePath, durability: 'power', busyTimeout: 5000 })
  try {
    const bundle = await import('../../migrate/bundled/sqlite.js')
    await createMigrator({ target: sqliteMigrationTarget(client), bundle }).up()
    await addVectorFunctions([client])
    const gate = new WriteGate(new SqliteSession(client, 'write'), { busyTimeout: 5000, writeTimeout: 30_000 })
    const runner = makeRunner(gate, null, client)
    const analyzer = await createAnalyzer(null)
    const vectors = new SqlVectors(options.vectors)
    const store: SqlStoreContext = {
      engine: sqliteEngine(),
      analyzer,
      analyzers: new Analyzers(analyzer),
      vectors,
      reranker: null,
      weights: { text: 1, vector: 1 },
      checks: new Checks(DEFAULT_LIMITS),
      clock,
      newId,
    }
    const space = await vectors.replace(store, runner)
    const settler = new VectorSettler(store, runner, newId())
    await settler.requeue()
    const { pending: total } = await settler.report()
    for (let done = 0; ; ) {
      const n = await settler.pass()
      if (n === 0) break
      done += n
      options.onProgress?.({ done, total })
    }
    const { parked } = await settler.report()
    const dropped = options.dropOld
      ? client.prepare('delete from bruno_embeddings where space <> ?').run(space.id).changes
      : 0
    const count = (where: string) =>
      client.prepare(`select count(*) from bruno_embeddings where space ${where} ?`).pluck().get(space.id) as number
    const { provider, model, dimensions, metric } = space
    return { space: { provider, model, dimensions, metric }, vectors: count('='), parked, kept: count('<>'), dropped }
  } finally {
    await options.vectors.embedder?.close()
    client.close()
  }
}
