import { sql } from 'drizzle-orm/sql/sql'
import type {
  Carried,
  Checkpoint,
  JobRequest,
  Refusal,
  TransferJob,
  TransferScope,
  TransferSide,
  TransferTarget,
  UnfinishedJob,
  WriteOutcome,
} from '../../contract/transfer.js'
import { StorageError } from '../../errors.js'
import type { RecordKind } from '../../model/records.js'
import type { SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner, type SqlSession } from './engine.js'
import { count, value } from './statement.js'
import {
  clearJobs,
  type Ownership,
  releaseJob,
  removeJob,
  type StoredJob,
  saveCheckpoint,
  setState,
  storedJobs,
  takeJob,
} from './transfer-jobs.js'
import { LAYOUTS, type Layout } from './transfer-layout.js'
import { tablesOf } from './transfer-open.js'
import { prepareRows } from './transfer-prepare.js'
import { storeVectors } from './transfer-vectors.js'

/** What became of a row: `new`, there `present`ly already, or why the table did not take it. */
export type Loaded = 'new' | 'present' | { readonly reason: string }

/** How an engine takes rows. */
export interface TableLoader {
  write<T>(work: (session: SqlSession) => Promise<T>): Promise<T>
  /** Keeps other runs from the jobs until the transaction ends, where writers do not wait for one another anyway. */
  lockJobs?(session: SqlSession): Promise<void>
  /** Adds rows that are not there; revisions are drawn, but for a bulk load, which takes those of the rows. */
  load(session: SqlSession, layout: Layout, rows: readonly (readonly unknown[])[], bulk: boolean): Promise<Loaded[]>
  /** Vectors of a bulk load, whose rows bring their `seq`. Absent: there is no bulk load. */
  loadVectors?(session: SqlSession, rows: readonly BulkVector[]): Promise<void>
  /** Takes away what is dear to keep up while loading; answers what makes it again, or null where a table is not empty. */
  strip?(session: SqlSession): Promise<string | null>
  restore?(session: SqlSession, rebuild: string): Promise<void>
  /** Counters that go on above what was loaded, and what the planner knows. */
  settle(session: SqlSession): Promise<void>
  close(): Promise<void>
}

export interface BulkVector {
  readonly tenantId: string
  readonly space: string
  readonly kind: RecordKind
  readonly scope: string
  readonly recordId: string
  readonly userId: string | null
  readonly recordSeq: number
  readonly vector: Float32Array
  readonly hash: Uint8Array
}

export interface SqlTargetParts {
  readonly store: SqlStoreContext
  readonly runner: SqlRunner
  readonly loader: TableLoader
  readonly side: Pick<TransferSide, 'backend' | 'place' | 'schema'>
}

const statements = perEngine((engine) => {
  const { conversations: c, messages: m, followers: f } = engine.tables
  const counting = (kind: RecordKind, tenant: boolean) =>
    engine.statement(
      { n: count(sql``) },
      () =>
        sql`select count(*) from ${sql.raw(LAYOUTS[kind].table)}${tenant ? sql` where tenant_id = ${value('tenantId')}` : sql``}`,
    )
  const kinds = Object.keys(LAYOUTS) as RecordKind[]
  const of = (tenant: boolean) =>
    Object.fromEntries(kinds.map((kind) => [kind, counting(kind, tenant)])) as {
      readonly [K in RecordKind]: ReturnType<typeof counting>
    }
  return {
    counts: { all: of(false), tenant: of(true) },
    followed: engine.statement(
      { name: f.name },
      () => sql`select ${f.name} from ${f} where ${f.state} <> 'retired' limit 1`,
    ),
    /** Counters are never below what is there: conversations that were made for their messages began with none. */
    recount: engine.command(
      () => sql`update ${c} set message_count = found.n, last_position = case when found.last > last_position then found.last else last_position end
        from (select ${m.tenantId} as tenant, ${m.conversationId} as conversation, count(*) as n, max(${m.position}) as last from ${m} group by 1, 2) as found
        where ${c.tenantId} = found.tenant and ${c.id} = found.conversation and (found.n > message_count or found.last > last_position)`,
    ),
  }
})

/** Writes into the tables of an SQL store; each batch and its checkpoint in one transaction. */
export class SqlTarget implements TransferTarget {
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
    const s = statements(store.engine).counts[tenantId === undefined ? 'all' : 'tenant']
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
    const followed = await session.all(statements(store.engine).followed)
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

class SqlJob implements TransferJob {
  readonly checkpoint: Checkpoint | null
  readonly epoch: number
  readonly #ownership: Ownership
  readonly #bulk: boolean
  #rebuild: string | null

  constructor(
    readonly parts: SqlTargetParts,
    readonly request: JobRequest,
    job: StoredJob,
  ) {
    this.checkpoint = job.checkpoint === null ? null : parseCheckpoint(job.checkpoint)
    this.epoch = job.epoch
    this.#ownership = { id: job.id, epoch: job.epoch, lease: request.lease }
    this.#bulk = job.state === 'loading'
    this.#rebuild = job.rebuild
  }

  async write(records: readonly Carried[], checkpoint: (outcome: WriteOutcome) => Checkpoint): Promise<WriteOutcome> {
    const { store, loader } = this.parts
    return loader.write(async (session) => {
      const outcome = await this.#load(session, records)
      await saveCheckpoint(store, session, this.#ownership, JSON.stringify(checkpoint(outcome)))
      return outcome
    })
  }

  async #load(session: SqlSession, records: readonly Carried[]): Promise<WriteOutcome> {
    let written = 0
    let present = 0
    const refused: Refusal[] = []
    for (const { kind, from, to } of runsOf(records)) {
      const some = records.slice(from, to)
      const rows = await prepareRows(this.parts, session, kind, some, this.request.texts)
      const loaded = await this.parts.loader.load(session, LAYOUTS[kind], rows, this.#bulk)
      for (const [i, result] of loaded.entries())
        if (result === 'new') written++
        else if (result === 'present') present++
        else refused.push({ index: from + i, reason: result.reason })
      const added = some.filter((_, i) => loaded[i] === 'new')
      await storeVectors(this.parts, session, added, this.#bulk)
    }
    return { written, present, refused }
  }

  async finish(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write(async (session) => {
      if (this.#rebuild === null) await session.run(statements(store.engine).recount)
      else await loader.restore?.(session, this.#rebuild)
      await loader.settle(session)
      await setState(store, session, this.#ownership, { state: 'running', rebuild: null })
    })
    this.#rebuild = null
  }

  async complete(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write((session) => removeJob(store, session, this.#ownership))
  }

  async release(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write((session) => releaseJob(store, session, this.#ownership))
  }
}

function parseCheckpoint(text: string): Checkpoint {
  try {
    return JSON.parse(text) as Checkpoint
  } catch {
    throw new StorageError('the stored checkpoint of this transfer cannot be read')
  }
}

interface Run {
  readonly kind: RecordKind
  readonly from: number
  readonly to: number
}

/** Neighbours of one kind. */
function runsOf(records: readonly Carried[]): Run[] {
  const runs: Run[] = []
  let from = 0
  for (let i = 1; i <= records.length; i++) {
    const kind = records[from]?.kind
    if (kind === undefined || records[i]?.kind === kind) continue
    runs.push({ kind, from, to: i })
    from = i
  }
  return runs
}
