import { setTimeout as sleep } from 'node:timers/promises'
import type { ScrubStep } from '../../contract/erase.js'
import type { PostgresqlOptions } from '../../contract/options.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { SqlRunner } from '../sql/engine.js'
import { SqlEraseTarget } from '../sql/erase.js'
import { codeOf } from './errors.js'
import type { Ask } from './maintenance.js'
import { aside } from './open.js'

/** What was erased from, and the table of vectors that is made only where pgvector is. */
const TABLES = [
  'users',
  'conversations',
  'messages',
  'sessions',
  'memories',
  'documents',
  'embeddings',
  'vectors',
  'operations',
  'outbox',
  'journal',
].map((name) => `bruno_${name}`)

/** The planner's samples repeat names, contents and ids as they were. */
const STATISTICS = 'pg_catalog.pg_statistic'

const PAUSE = 50
/** Milliseconds that others wait behind a rewrite that waits for its lock. */
const LOCK_TIMEOUT = 3000

// What an open transaction may still read is copied by a rewrite, deleted or not.
const HOLDING = (own: string): string => `select count(*)::int from (
    select backend_xmin as x from pg_stat_activity
      where pid <> pg_backend_pid() and (datname = current_database() or datname is null)
    union all select xmin from pg_replication_slots
    union all select transaction from pg_prepared_xacts where database = current_database()
  ) as held where x is not null and age(x) >= age('${own}'::xid)`

async function untilUnseen(ask: Ask, until: number): Promise<boolean> {
  const [row] = await ask('select pg_current_xact_id()::xid::text')
  for (;;) {
    const [held] = await ask(HOLDING(String(row?.[0])))
    if (held?.[0] === 0) return true
    if (performance.now() >= until) return false
    await sleep(PAUSE)
  }
}

const fileOf = async (ask: Ask, table: string): Promise<string | null> => {
  const [row] = await ask(`select pg_relation_filenode(to_regclass('${table}'))::text`)
  return (row?.[0] as string | null | undefined) ?? null
}

const RIGHTS = 'the role may not: let the owner of the tables run it, or give maintenanceConnectionString'
const LOCKED = 'others use the table without a pause: run it when they do not'

/** A server skips a table with a mere notice where the role has no right to it: only its new file tells. */
async function rewriteTable(ask: Ask, table: string, options: string, until: number): Promise<ScrubStep> {
  const what = `VACUUM FULL ${table}`
  const before = await fileOf(ask, table)
  for (;;)
    try {
      await ask(`vacuum (${options}) ${table}`)
      const done = (await fileOf(ask, table)) !== before
      return { what, done, reason: done ? null : RIGHTS }
    } catch (error) {
      const code = codeOf(error)
      // 55P03: the lock was not had in time.
      if (code === '55P03' && performance.now() < until) continue
      return { what, done: false, reason: code === '55P03' ? LOCKED : `PostgreSQL refused it (${code})` }
    }
}

async function rewriteAll(ask: Ask, deadline: number): Promise<readonly ScrubStep[]> {
  const until = performance.now() + deadline
  await ask(`set lock_timeout = ${Math.min(deadline, LOCK_TIMEOUT)}`)
  const steps: ScrubStep[] = []
  const unseen = async (): Promise<void> => {
    if (await untilUnseen(ask, until)) return
    const reason =
      'an open transaction, a slot or a prepared transaction still sees what was deleted: end it, erase again'
    steps.push({ what: 'older transactions', done: false, reason })
  }
  await unseen()
  for (const table of TABLES)
    if ((await fileOf(ask, table)) !== null) steps.push(await rewriteTable(ask, table, 'full, analyze', until))
  // Samples that the analysis has replaced are deleted rows themselves.
  await unseen()
  return [...steps, await rewriteTable(ask, STATISTICS, 'full', until)]
}

const AGES = [
  'the write-ahead log, until its segments are reused, and its archive',
  'backups and dumps of the database',
  "the server's log, where it logs statements with their values",
  'blocks of the disk that rewritten tables have given back',
]

async function copiesOf(ask: Ask): Promise<readonly string[]> {
  const [row] = await ask('select count(*)::int from pg_stat_replication')
  return row?.[0] === 0 ? AGES : [...AGES, 'replicas, until they have replayed the erasure, and their write-ahead logs']
}

export interface PostgresqlErasing {
  readonly settings: PostgresqlOptions
  readonly store: SqlStoreContext
  readonly runner: (tenantId: string) => SqlRunner
}

/** A database, whose tables are written anew by the role that may do most. */
export const postgresqlEraseTarget = ({ settings, store, runner }: PostgresqlErasing): SqlEraseTarget =>
  new SqlEraseTarget({
    name: 'postgresql',
    store,
    runner,
    scrub: (deadline) => aside(settings, (ask) => rewriteAll(ask, deadline)),
    ages: () => aside(settings, copiesOf),
  })
