import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { OutboxEntry } from '../../contract/follow.js'
import type { SettleReport } from '../../contract/statistics.js'
import type { ErrorCode } from '../../errors.js'
import { now, type SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner, type SqlSession } from './engine.js'
import { bind, count, list, type Statement, value } from './statement.js'

const MAX_ATTEMPTS = 5
const FIRST_DELAY = 1000

export const OUTBOX_KEY = { tenant_id: 'text', kind: 'text', scope: 'text', record_id: 'text' } as const
const SEEN = { ...OUTBOX_KEY, seen: 'integer' } as const

export const outboxKey = ({
  tenantId,
  kind,
  scope,
  recordId,
}: Omit<OutboxEntry, 'revision' | 'attempts'>): string[] => [tenantId, kind, scope, recordId]

const statements = perEngine((engine) => {
  const { outbox: o } = engine.tables
  const key = { tenantId: o.tenantId, kind: o.kind, scope: o.scope, recordId: o.recordId }
  const entry = { ...key, revision: o.revision, attempts: o.attempts }
  const mine = sql`${o.follower} = ${value('follower')}`
  const waits = sql`${mine} and ${o.nextAttemptAt} <= ${bind(o.nextAttemptAt, 'now')} and ${o.parkedAt} is null`
  const due = sql`${waits}
    and (${o.leaseUntil} is null or ${o.leaseUntil} <= ${bind(o.leaseUntil, 'now')} or ${o.leaseOwner} = ${value('owner')})`
  const others = sql`${waits} and (${o.leaseUntil} is null or ${o.leaseUntil} <= ${bind(o.leaseUntil, 'now')})`
  const notMine = (wanted: SQL): SQL =>
    sql`${wanted} and (${o.leaseOwner} is null or ${o.leaseOwner} <> ${value('owner')})`
  const these = (keys: SQL): SQL => sql`${mine} and (tenant_id, kind, scope, record_id) in (${keys})`
  const ofKey = sql`${o.tenantId} = k.tenant_id and ${o.kind} = k.kind and ${o.scope} = k.scope and ${o.recordId} = k.record_id`
  // What somebody is writing at this moment is left alone: nobody waits for a settler while it waits for them.
  const seen = sql`with seen as materialized (${engine.lookedUp({
    rows: sql`${engine.conditions.rows('keys', SEEN)} as k`,
    table: sql`${o}`,
    columns: list(key),
    where: sql`${mine} and ${ofKey} and ${o.revision} = k.seen`,
    lock: engine.forClaim,
  })})`
  const asSeen = these(sql`select tenant_id, kind, scope, record_id from seen`)
  const counted = { n: count(sql``) }
  return {
    /** By whether what others have taken is left to them; then the same without what this owner has. */
    claim: [waits, due, notMine(waits), notMine(others)].map((wanted) =>
      engine.statement(
        entry,
        // Chosen once, before any is taken; in the order in which they were written.
        () => sql`with due as materialized (
          select tenant_id, kind, scope, record_id from ${o} where ${wanted}
          order by ${o.nextAttemptAt}, ${o.revision} limit ${value('limit')} ${engine.forClaim}
        ) update ${o} set lease_owner = ${value('owner')}, lease_until = ${bind(o.leaseUntil, 'until')}
        where ${these(sql`select tenant_id, kind, scope, record_id from due`)}
        returning ${sql.raw('tenant_id, kind, scope, record_id, revision, attempts')}`,
      ),
    ),
    /** What is being written at this moment is left alone. */
    renew: engine.command(
      () => sql`with held as materialized (
          select tenant_id, kind, scope, record_id from ${o} where ${mine} and ${o.leaseOwner} = ${value('owner')} ${engine.forClaim}
        ) update ${o} set lease_until = ${bind(o.leaseUntil, 'until')} where ${these(sql`select tenant_id, kind, scope, record_id from held`)}`,
    ),
    due: [waits, due].map((wanted) => engine.statement(counted, () => sql`select 1 from ${o} where ${wanted} limit 1`)),
    /** Only as they were taken: what was written meanwhile is due again, to this owner at once. */
    done: engine.statement(
      key,
      () => sql`${seen} delete from ${o} where ${asSeen} returning ${sql.raw('tenant_id, kind, scope, record_id')}`,
    ),
    free: engine.command(
      () =>
        sql`update ${o} set lease_owner = null, lease_until = null where ${mine} and ${o.leaseOwner} = ${value('owner')}`,
    ),
    /** What was written again since it was taken, whatever its revision is now. */
    leave: engine.command(
      () =>
        sql`with left_over as materialized (${engine.lookedUp({
          rows: sql`${engine.conditions.rows('keys', OUTBOX_KEY)} as k`,
          table: sql`${o}`,
          columns: list(key),
          where: sql`${mine} and ${ofKey} and ${o.leaseOwner} = ${value('owner')}`,
          lock: engine.forClaim,
        })}) update ${o} set lease_owner = null, lease_until = null where ${these(sql`select tenant_id, kind, scope, record_id from left_over`)}`,
    ),
    failed: engine.command(
      () => sql`${seen} update ${o} set attempts = ${value('attempts')}, next_attempt_at = ${bind(o.nextAttemptAt, 'next')},
        parked_at = ${bind(o.parkedAt, 'parked')}, error_code = ${value('code')}, lease_owner = null, lease_until = null
        where ${asSeen}`,
    ),
    pending: engine.statement(counted, () => sql`select count(*) from ${o} where ${mine} and ${o.parkedAt} is null`),
    parked: engine.statement(counted, () => sql`select count(*) from ${o} where ${mine} and ${o.parkedAt} is not null`),
    requeue: engine.command(
      () =>
        sql`update ${o} set parked_at = null, attempts = 0, error_code = null, next_attempt_at = ${bind(o.nextAttemptAt, 'now')} where ${mine} and ${o.parkedAt} is not null`,
    ),
  }
})

export interface OutboxOptions {
  readonly follower: string
  /** Who takes entries. */
  readonly owner: string
  /** Milliseconds for which what was taken is left to its taker, who renews it. */
  readonly lease: number
  /** Whether the follower is this owner's alone: what another one had taken was left by it. */
  readonly alone?: boolean | undefined
}

/** What one follower still has to be told, as one settler works it off. */
export class Outbox {
  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly options: OutboxOptions,
  ) {}

  get #s() {
    return statements(this.store.engine)
  }
  get #mine() {
    const { follower, owner } = this.options
    return { follower, owner }
  }

  /** Takes so many of what is due, with or without what it has already. Most looks find nothing: they take no lock. */
  async claim(limit: number, further = false): Promise<OutboxEntry[]> {
    const at = now(this.store)
    const values = { ...this.#mine, now: at }
    const look = this.runner.current ?? this.runner.read
    const { alone = false } = this.options
    const which = (alone ? 0 : 1) + (further ? 2 : 0)
    // Behind a full batch there is more, as a rule.
    const some =
      further || (await look(async (session) => session.all(this.#s.due[which] as Statement<unknown>, values)))
    if (some !== true && some.length === 0) return []
    const until = this.#until(at)
    const statement = this.#s.claim[which] as Statement<OutboxEntry>
    return this.runner.write(async (session) => session.all(statement, { ...values, until, limit }))
  }

  #until(at: Date): Date {
    return new Date(at.getTime() + this.options.lease)
  }

  /** Keeps what was taken. */
  async renew(): Promise<void> {
    const until = this.#until(now(this.store))
    await this.runner.write(async (session) => session.run(this.#s.renew, { ...this.#mine, until }))
  }

  /** Removes entries that are as they were taken, and answers these. */
  async done(session: SqlSession, entries: readonly OutboxEntry[]): Promise<OutboxEntry[]> {
    if (entries.length === 0) return []
    const rows = await session.all(this.#s.done, { ...this.#mine, keys: this.#seen(entries) })
    const gone = new Set(rows.map((row) => JSON.stringify(outboxKey(row))))
    this.#count('settled', gone.size)
    return entries.filter((entry) => gone.has(JSON.stringify(outboxKey(entry))))
  }

  /** Removes what was told as it was taken; what was written again meanwhile waits for its turn once more. */
  async finish(entries: readonly OutboxEntry[]): Promise<void> {
    if (entries.length === 0) return
    await this.runner.write(async (session) => {
      const gone = new Set(await this.done(session, entries))
      const rest = entries.filter((entry) => !gone.has(entry))
      if (rest.length === 0) return
      const keys = this.store.engine.conditions.encodeRows(rest.map(outboxKey))
      await session.run(this.#s.leave, { ...this.#mine, keys })
    })
  }

  /** Puts one off, longer each time and never in step with others; after some attempts it is left alone. */
  async failed(session: SqlSession, entry: OutboxEntry, code: ErrorCode): Promise<void> {
    const attempts = entry.attempts + 1
    const at = this.store.clock()
    await session.run(this.#s.failed, {
      ...this.#mine,
      keys: this.#seen([entry]),
      attempts,
      next: new Date(at + Math.random() * FIRST_DELAY * 4 ** entry.attempts),
      parked: attempts >= MAX_ATTEMPTS ? new Date(at) : null,
      code,
    })
    if (attempts < MAX_ATTEMPTS) return this.#count('retried', 1)
    this.#count('parked', 1)
    // By kind alone: whose record it is stands in the outbox.
    this.store.logger?.warn('a record was left alone after several attempts', {
      follower: this.options.follower,
      kind: entry.kind,
      code,
    })
  }

  #count(outcome: string, n: number): void {
    if (n > 0)
      this.store.counters?.count('bruno_memory.settle.effects', n, { follower: this.options.follower, outcome })
  }

  #seen(entries: readonly OutboxEntry[]): unknown {
    return this.store.engine.conditions.encodeRows(entries.map((entry) => [...outboxKey(entry), entry.revision]))
  }

  /** Leaves what was taken to others. */
  async release(): Promise<void> {
    await this.runner.write(async (session) => session.run(this.#s.free, this.#mine))
  }

  report(): Promise<SettleReport> {
    const look = this.runner.current ?? this.runner.read
    return look(async (session) => ({
      pending: (await session.all(this.#s.pending, this.#mine))[0]?.n ?? 0,
      parked: (await session.all(this.#s.parked, this.#mine))[0]?.n ?? 0,
    }))
  }

  requeue(): Promise<number> {
    return this.runner.write(async (session) => session.run(this.#s.requeue, { ...this.#mine, now: now(this.store) }))
  }
}
