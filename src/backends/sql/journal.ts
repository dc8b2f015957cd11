import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Journal, JournalEntry, JournalState, StoredEntry, UnitJournal } from '../../contract/journal.js'
import { now, type SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner, type SqlSession } from './engine.js'
import { bind, count, list, type Statement, type Values, value } from './statement.js'
import { insertInto } from './write.js'

/** The only row of the state. */
const ROW = 'fallback'
const IDLE: JournalState = { epoch: 0, phase: 'idle' }
const KEYS = ['tenantId', 'id', 'epoch', 'state', 'what', 'reason', 'createdAt'] as const

const statements = perEngine((engine) => {
  const { journal: j, fallbackState: f } = engine.tables
  const state = { epoch: f.epoch, phase: f.phase }
  const entry = {
    seq: j.seq,
    tenantId: j.tenantId,
    id: j.id,
    epoch: j.epoch,
    state: j.state,
    what: j.what,
    reason: j.reason,
    createdAt: j.createdAt,
  }
  const counted = { n: count(sql``) }
  const row = sql`${f.id} = ${sql.raw(`'${ROW}'`)}`
  const same = sql`${row} and ${f.epoch} = ${value('epoch')} and ${f.phase} = ${value('phase')}`
  const get = sql`select ${list(state)} from ${f} where`
  const these = sql`(tenant_id, seq) in (select r.tenant_id, r.seq from ${engine.conditions.rows('keys', { tenant_id: 'text', seq: 'integer' })} as r)`
  const among = (name: string): SQL => engine.conditions.among(sql`${j.state}`, name)
  return {
    begin: engine.command(
      () =>
        sql`insert into ${f} (id, epoch, phase) values (${sql.raw(`'${ROW}', 0, 'idle'`)}) on conflict (id) do nothing`,
    ),
    get: engine.statement(state, () => sql`${get} ${row}`),
    lock: engine.statement(state, () => sql`${get} ${same} ${engine.forUpdate}`),
    /** By whether the engine has locks that several can hold. */
    enter: [sql``, sql`for share`].map((lock) => engine.statement(state, () => sql`${get} ${same} ${lock}`)),
    set: engine.command(
      () => sql`update ${f} set epoch = ${value('nextEpoch')}, phase = ${value('nextPhase')} where ${row}`,
    ),
    lease: engine.command(
      () => sql`update ${f} set lease_owner = ${value('owner')}, lease_until = ${bind(f.leaseUntil, 'until')}
        where ${row} and (${f.leaseOwner} is null or ${f.leaseOwner} = ${value('owner')} or ${f.leaseUntil} <= ${bind(f.leaseUntil, 'now')})`,
    ),
    release: engine.command(
      () =>
        sql`update ${f} set lease_owner = null, lease_until = null where ${row} and ${f.leaseOwner} = ${value('owner')}`,
    ),
    add: engine.command(() => insertInto(engine, 'journal', KEYS)),
    read: engine.statement(
      entry,
      () => sql`select ${list(entry)} from ${j} where ${among('states')} order by ${j.seq} limit ${value('limit')}`,
    ),
    mark: engine.command(
      () => sql`update ${j} set state = ${value('state')}, reason = ${value('reason')} where ${these}`,
    ),
    remove: engine.command(() => sql`delete from ${j} where ${these}`),
    count: engine.statement(counted, () => sql`select count(*) from ${j} where ${among('states')}`),
  }
})

/** The journal of a store. */
export function sqlJournal(store: SqlStoreContext, runner: SqlRunner): Journal {
  const { engine } = store
  const s = statements(engine)
  const read = runner.current ?? runner.read
  const states = (...names: string[]): { states: unknown } => ({ states: engine.conditions.texts(names) })
  const countOf = async (session: SqlSession, ...names: string[]): Promise<number> =>
    (await session.all(s.count, states(...names)))[0]?.n ?? 0
  const change = (statement: Statement<never>, entries: readonly StoredEntry[], values: Values) =>
    runner.write(async (session) => {
      const keys = engine.conditions.encodeRows(entries.map(({ tenantId, seq }) => [tenantId, seq]))
      await session.run(statement, { ...values, keys })
    })
  return {
    state: () => read(async (session) => ((await session.all(s.get))[0] as JournalState | undefined) ?? IDLE),
    change: (from, to, { drained = false } = {}) =>
      runner.write(async (session) => {
        await session.run(s.begin)
        // Locked first: what units that had entered have added is seen by the count behind it.
        if ((await session.all(s.lock, { ...from })).length === 0) return false
        if (drained && (await countOf(session, 'waiting')) > 0) return false
        await session.run(s.set, { nextEpoch: to.epoch, nextPhase: to.phase })
        return true
      }),
    lease: (owner, milliseconds) =>
      runner.write(async (session) => {
        await session.run(s.begin)
        const at = now(store)
        const until = new Date(at.getTime() + milliseconds)
        return (await session.run(s.lease, { owner, until, now: at })) > 0
      }),
    release: (owner) =>
      runner.write(async (session) => {
        await session.run(s.release, { owner })
      }),
    read: (names, limit) =>
      read(async (session) => (await session.all(s.read, { ...states(...names), limit })) as StoredEntry[]),
    mark: (entries, state, reason) => change(s.mark, entries, { state, reason: reason ?? null }),
    remove: (entries) => change(s.remove, entries, {}),
    counts: () =>
      read(async (session) => ({
        waiting: await countOf(session, 'waiting'),
        parked: await countOf(session, 'parked', 'kept'),
      })),
  }
}

/** The same inside a unit. Where an engine has no locks to be shared, its unit is the only writer. */
export function sqlUnitJournal({ engine }: SqlStoreContext, session: SqlSession, sharedLocks: boolean): UnitJournal {
  const s = statements(engine)
  const enter = s.enter[+sharedLocks] as (typeof s)['get']
  return {
    enter: async ({ epoch, phase }) => (await session.all(enter, { epoch, phase })).length > 0,
    add: async ({ tenantId, id, epoch, createdAt, what }: JournalEntry) => {
      await session.run(s.add, { tenantId, id, epoch, createdAt, what, state: 'waiting', reason: null })
    },
  }
}
