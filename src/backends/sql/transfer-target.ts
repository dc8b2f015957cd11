import type {
  JobRequest,
  TransferJob,
  TransferScope,
  TransferSide,
  TransferTarget,
  UnfinishedJob,
} from '../../contract/transfer.js'
import type { RecordKind } from '../../model/records.js'
import type { SqlSession } from './engine.js'
import { SqlJob } from './transfer-job.js'
import { clearJobs, type StoredJob, setState, storedJobs, takeJob } from './transfer-jobs.js'
import { LAYOUTS } from './transfer-layout.js'
import { tablesOf } from './transfer-open.js'
import type { SqlTargetParts } from './transfer-parts.js'
import { targetStatements } from './transfer-statements.js'

/** Writes into the tables of an SQL store; each batch and its checkpoint in one transaction. */
export class SqlTarget implements TransferTarget {
  readonly isKeptUp = true
  constructor(readonly parts: SqlTargetParts) {}

  async describe(): Promise<TransferSide> {
    const { side, store } = this.parts
    const { space } = store.vectors
    return {
      ...side,
      kinds: Object.keys(LAYOUTS) as RecordKind[],
      positions: 'counter',
      adopts: true,
      tables: tablesOf(store.analyzer.record),
      space: space && {
        provider: space.provider,
        model: space.model,
        dimensions: space.dimensions,
        metric: space.metric,
      },
    }
  }

  async count({ kinds, tenantId }: TransferScope): Promise<number> {
    const { store, runner } = this.parts
    const s = targetStatements(store.engine).counts[tenantId === undefined ? 'all' : 'tenant']
    return runner.read(async (session) => {
      let total = 0
      for (const kind of kinds) total += (await session.all(s[kind], { tenantId }))[0]?.n ?? 0
      return total
    })
  }

  async unfinished(): Promise<UnfinishedJob | null> {
    const { store, runner } = this.parts
    const [job] = await runner.read((session) => storedJobs(store, session))
    return job ? { id: job.id, plan: job.plan } : null
  }

  async begin(request: JobRequest): Promise<TransferJob> {
    const { store, runner, loader } = this.parts
    if (request.space && !store.vectors.space) await store.vectors.adopt(store, runner, request.space)
    const job = await loader.write(async (session) => {
      // Else a batch of the run before could commit between the look at its checkpoint and its end.
      await loader.lockJobs?.(session)
      const taken = await takeJob(store, session, request)
      const rebuild = request.bulk && taken.checkpoint === null ? await this.#strip(session, taken) : null
      if (rebuild === null) return taken
      const ownership = { id: taken.id, epoch: taken.epoch, lease: request.lease }
      await setState(store, session, ownership, { state: 'loading', rebuild })
      return { ...taken, state: 'loading', rebuild }
    })
    return new SqlJob(this.parts, request, job)
  }

  /** Followers are told of rows by triggers: where there are any, these stay. */
  async #strip(session: SqlSession, { state }: StoredJob): Promise<string | null> {
    const { store, loader } = this.parts
    if (state === 'loading' || !loader.strip) return null
    const followed = await session.all(targetStatements(store.engine).followed)
    return followed.length > 0 ? null : loader.strip(session)
  }

  async abandon(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write(async (session) => {
      await loader.lockJobs?.(session)
      for (const { rebuild } of await storedJobs(store, session))
        if (rebuild !== null) await loader.restore?.(session, rebuild)
      await loader.settle(session)
      await clearJobs(store, session)
    })
  }

  async close(): Promise<void> {
    await this.parts.loader.close()
  }
}
