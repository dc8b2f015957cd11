import { sql } from 'drizzle-orm/sql/sql'
import type { JobRequest } from '../../contract/transfer.js'
import { ConfigurationError, ConflictError } from '../../errors.js'
import { now, type SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner, type SqlSession } from './engine.js'
import { bind, list, value } from './statement.js'
import { insertInto } from './write.js'

const KEYS = ['id', 'state', 'plan', 'checkpoint', 'rebuild', 'owner', 'epoch', 'leaseUntil', 'createdAt', 'updatedAt']

const statements = perEngine((engine) => {
  const { transfers: t } = engine.tables
  const selection = {
    id: t.id,
    state: t.state,
    plan: t.plan,
    checkpoint: t.checkpoint,
    rebuild: t.rebuild,
    owner: t.owner,
    epoch: t.epoch,
    leaseUntil: t.leaseUntil,
  }
  const mine = sql`${t.id} = ${value('id')} and ${t.epoch} = ${value('epoch')}`
  return {
    all: engine.statement(selection, () => sql`select ${list(selection)} from ${t}`),
    loading: engine.statement({ id: t.id }, () => sql`select ${t.id} from ${t} where ${t.state} = 'loading'`),
    insert: engine.command(() => insertInto(engine, 'transfers', KEYS)),
    take: engine.command(
      () => sql`update ${t} set owner = ${value('owner')}, epoch = ${value('next')}, lease_until = ${bind(t.leaseUntil, 'leaseUntil')},
        updated_at = ${bind(t.updatedAt, 'now')} where ${mine}`,
    ),
    save: engine.command(
      () => sql`update ${t} set checkpoint = ${value('checkpoint')}, lease_until = ${bind(t.leaseUntil, 'leaseUntil')},
        updated_at = ${bind(t.updatedAt, 'now')} where ${mine}`,
    ),
    state: engine.command(
      () => sql`update ${t} set state = ${value('state')}, rebuild = ${value('rebuild')},
        lease_until = ${bind(t.leaseUntil, 'leaseUntil')}, updated_at = ${bind(t.updatedAt, 'now')} where ${mine}`,
    ),
    release: engine.command(() => sql`update ${t} set owner = null, lease_until = null where ${mine}`),
    remove: engine.command(() => sql`delete from ${t} where ${mine}`),
    clear: engine.command(() => sql`delete from ${t}`),
  }
})

/** A job as it stands in its table. */
export interface StoredJob {
  readonly id: string
  readonly state: string
  readonly plan: string
  readonly checkpoint: string | null
  readonly rebuild: string | null
  readonly owner: string | null
  readonly epoch: number
  readonly leaseUntil: Date | null
}

/** Which run of which job, and for how long it may be silent. */
export interface Ownership {
  readonly id: string
  readonly epoch: number
  readonly lease: number
}

const until = (store: SqlStoreContext, lease: number): Date => new Date(store.clock() + lease)
const fenced = (): never => {
  throw new ConflictError('another run of this transfer has taken it over: this one has ended, and lost nothing')
}

export const storedJobs = async (store: SqlStoreContext, session: SqlSession): Promise<StoredJob[]> =>
  session.all(statements(store.engine).all)

/** Takes the job, a new one or one that was left; inside a transaction. */
export async function takeJob(store: SqlStoreContext, session: SqlSession, request: JobRequest): Promise<StoredJob> {
  const s = statements(store.engine)
  const jobs = await storedJobs(store, session)
  const other = jobs.find(({ id }) => id !== request.id)
  if (other)
    throw new ConflictError(
      'another transfer into this store is not through: go on with it (--resume) or give it up (--abandon)',
    )
  const [job] = jobs
  const at = now(store)
  const leaseUntil = until(store, request.lease)
  if (!job) {
    const { id, plan, owner } = request
    const made = { id, state: 'running', plan, checkpoint: null, rebuild: null, owner, epoch: 1, leaseUntil }
    await session.run(s.insert, { ...made, createdAt: at, updatedAt: at })
    return made
  }
  if (job.plan !== request.plan) throw new ConflictError('the job that is stored there has another plan')
  const held = job.owner !== null && job.leaseUntil !== null && job.leaseUntil > at && job.owner !== request.owner
  if (held && !request.force && !store.isDead?.(job.owner as string))
    throw new ConflictError(
      `another run is at work on this transfer (${job.owner}, until ${job.leaseUntil?.toISOString()}): wait for it, or take it over with --force`,
    )
  const next = job.epoch + 1
  const values = { id: job.id, epoch: job.epoch, next, owner: request.owner, leaseUntil, now: at }
  if ((await session.run(s.take, values)) === 0) fenced()
  return { ...job, epoch: next, owner: request.owner, leaseUntil }
}

/** Keeps a checkpoint, in the transaction of what it tells of. */
export async function saveCheckpoint(
  store: SqlStoreContext,
  session: SqlSession,
  { id, epoch, lease }: Ownership,
  checkpoint: string | null,
): Promise<void> {
  const values = { id, epoch, checkpoint, leaseUntil: until(store, lease), now: now(store) }
  if ((await session.run(statements(store.engine).save, values)) === 0) fenced()
}

export async function setState(
  store: SqlStoreContext,
  session: SqlSession,
  { id, epoch, lease }: Ownership,
  { state, rebuild }: Pick<StoredJob, 'state' | 'rebuild'>,
): Promise<void> {
  const values = { id, epoch, state, rebuild, leaseUntil: until(store, lease), now: now(store) }
  if ((await session.run(statements(store.engine).state, values)) === 0) fenced()
}

export const releaseJob = async (store: SqlStoreContext, session: SqlSession, { id, epoch }: Ownership) =>
  session.run(statements(store.engine).release, { id, epoch })

export async function removeJob(store: SqlStoreContext, session: SqlSession, { id, epoch }: Ownership): Promise<void> {
  if ((await session.run(statements(store.engine).remove, { id, epoch })) === 0) fenced()
}

export const clearJobs = async (store: SqlStoreContext, session: SqlSession): Promise<unknown> =>
  session.run(statements(store.engine).clear)

/**
 * Refuses a store whose indexes and triggers are left to the end of a transfer: what is written now would be told to
 * nobody.
 */
export async function checkLoaded(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
  const { loading } = statements(store.engine)
  if ((await runner.read(async (session) => session.all(loading))).length > 0)
    throw new ConfigurationError(
      'a transfer into this store is not through: go on with it (`bruno-memory transfer … --resume`), or give it up (--abandon)',
    )
}
