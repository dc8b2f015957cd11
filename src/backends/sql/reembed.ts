import { sql } from 'drizzle-orm/sql/sql'
import type { EmbeddingSpace, VectorSettings } from '../../contract/embedder.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { Analyzers, createAnalyzer } from '../../search/analyzer.js'
import type { SqlStoreContext } from './context.js'
import { perEngine, type SqlEngine, type SqlRunner } from './engine.js'
import { VectorSettler } from './settle.js'
import { count, value } from './statement.js'
import { SqlVectors } from './vectors.js'

export interface ReembedSettings {
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

export interface Reembedding {
  readonly engine: SqlEngine
  readonly runner: SqlRunner
  /** Deletes the vectors of all spaces but this one; answers how many they were. */
  dropOthers(space: string): Promise<number>
}

const statements = perEngine((engine) => {
  const { embeddings: e } = engine.tables
  const counted = { n: count(sql``) }
  return {
    vectors: engine.statement(counted, () => sql`select count(*) from ${e} where ${e.space} = ${value('space')}`),
    others: engine.statement(counted, () => sql`select count(*) from ${e} where ${e.space} <> ${value('space')}`),
  }
})

async function storeOf(engine: SqlEngine, { vectors, clock, newId }: ReembedSettings): Promise<SqlStoreContext> {
  const analyzer = await createAnalyzer(null)
  return {
    engine,
    analyzer,
    analyzers: new Analyzers(analyzer),
    vectors: new SqlVectors(vectors),
    semantic: null,
    reranker: null,
    weights: { text: 1, vector: 1 },
    checks: new Checks(DEFAULT_LIMITS),
    clock,
    newId,
  }
}

/**
 * Makes the vectors of every record anew, in the space of another model, dimension or metric. Ended half-way it goes on
 * where it was, by this or by a program that opens the store with the model.
 */
export async function reembedStore(
  { engine, runner, dropOthers }: Reembedding,
  settings: ReembedSettings,
): Promise<ReembedReport> {
  const store = await storeOf(engine, settings)
  const { id, provider, model, dimensions, metric } = await store.vectors.replace(store, runner)
  const settler = new VectorSettler(store, runner, settings.newId())
  await settler.requeue()
  const { pending: total } = await settler.report()
  for (let done = 0; ; ) {
    const n = await settler.pass()
    if (n === 0) break
    done += n
    settings.onProgress?.({ done, total })
  }
  const { parked } = await settler.report()
  const dropped = settings.dropOld ? await dropOthers(id) : 0
  const { vectors, others } = statements(engine)
  const counts = await runner.read(async (session) => ({
    vectors: (await session.all(vectors, { space: id }))[0]?.n ?? 0,
    kept: (await session.all(others, { space: id }))[0]?.n ?? 0,
  }))
  return { space: { provider, model, dimensions, metric }, parked, dropped, ...counts }
}
