import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { SearchKind } from '../../model/records.js'
import { perEngine, type SqlEngine, TABLE_OF } from './engine.js'
import { OUTBOX_KEY } from './outbox.js'
import { bind, count, list, value } from './statement.js'
import { RECORD } from './vector-statements.js'

const number = (query: SQL) => ({ sql: query, decode: (v: unknown) => (v === null ? null : Number(v)) })

function ofKind(engine: SqlEngine, kind: SearchKind) {
  const { embeddings: e, outbox: o, messages: m, documents: d } = engine.tables
  const t = engine.tables[TABLE_OF[kind]]
  const scope = { message: sql`${m.conversationId}`, memory: sql`''`, document: sql`${d.namespace}` }[kind]
  const text = (query: typeof scope) => ({ sql: query, decode: String })
  const entry = { tenantId: t.tenantId, scope: text(scope), id: t.id, seq: t.seq, revision: t.revision }
  const embedded = sql`${e.tenantId} = ${t.tenantId} and ${e.space} = ${value('space')} and ${e.kind} = ${sql.raw(`'${kind}'`)}
    and ${e.scope} = ${scope} and ${e.recordId} = ${t.id}`
  const expected = (tenant: boolean) => sql`select ${list(entry)} from ${t} join ${e} on ${embedded}
    where ${t.seq} > ${value('after')} ${tenant ? sql`and ${t.tenantId} = ${value('tenantId')}` : sql``}
    order by ${t.seq} limit ${value('limit')}`
  const found = {
    tenantId: text(sql`k.tenant_id`),
    scope: text(sql`k.scope`),
    id: text(sql`k.record_id`),
    seq: number(sql`${t.seq}`),
    revision: number(sql`${t.revision}`),
    vector: count(sql`case when ${e.seq} is null then 0 else 1 end`),
    waits:
      count(sql`case when exists (select 1 from ${o} where ${o.follower} = ${value('follower')} and ${o.tenantId} = k.tenant_id
      and ${o.kind} = ${sql.raw(`'${kind}'`)} and ${o.scope} = k.scope and ${o.recordId} = k.record_id) then 1 else 0 end`),
  }
  const words =
    kind === 'message' ? sql`${m.status} <> 'draft' and trim(${t.content}) <> ''` : sql`trim(${t.content}) <> ''`
  const unmade = sql`${e.seq} is null and ${words}`
  const estimate = {
    records: count(sql`count(*)`),
    toEmbed: count(sql`sum(case when ${unmade} then 1 else 0 end)`),
    characters: count(
      sql`sum(case when ${unmade} then (case when length(${t.content}) > 8000 then 8000 else length(${t.content}) end) else 0 end)`,
    ),
  }
  return {
    estimate: engine.statement(estimate, () => sql`select ${list(estimate)} from ${t} left join ${e} on ${embedded}`),
    /** Records that have a vector, by row. */
    expected: [false, true].map((tenant) => engine.statement(entry, () => expected(tenant))),
    lookUp: engine.statement(
      found,
      () => sql`select ${list(found)} from ${engine.conditions.rows('keys', RECORD)} as k
        left join ${t} on ${t.tenantId} = k.tenant_id and ${scope} = k.scope and ${t.id} = k.record_id
        left join ${e} on ${embedded}`,
    ),
  }
}

export const followedStatements = perEngine((engine) => {
  const { followers: f, outbox: o, embeddings: e } = engine.tables
  const follower = { name: f.name, kind: f.kind, state: f.state, settings: f.settings }
  const depth = {
    follower: o.follower,
    depth: count(sql`count(*) filter (where ${o.parkedAt} is null)`),
    parked: count(sql`count(*) filter (where ${o.parkedAt} is not null)`),
  }
  return {
    list: engine.statement(follower, () => sql`select ${list(follower)} from ${f} where ${f.state} <> 'retired'`),
    put: engine.command(
      () => sql`insert into ${f} (name, kind, state, kinds, settings, seeded_revision, lease_epoch, created_at, updated_at, version, revision)
        values (${bind(f.name, 'name')}, ${bind(f.kind, 'kind')}, ${bind(f.state, 'state')}, ${bind(f.kinds, 'kinds')}, ${bind(f.settings, 'settings')}, 0, 0,
          ${bind(f.createdAt, 'now')}, ${bind(f.updatedAt, 'now')}, 1, ${engine.revision})
        on conflict (name) do update set state = excluded.state, kinds = excluded.kinds, settings = excluded.settings,
          updated_at = excluded.updated_at, version = ${f.version} + 1`,
    ),
    /** What was told to followers that are gone. */
    forgetUnknown: engine.command(
      () => sql`delete from ${o} where ${o.follower} not in (select ${f.name} from ${f} where ${f.state} <> 'retired')`,
    ),
    dropVectors: engine.command(
      () =>
        sql`delete from ${e} where ${e.seq} in (select ${e.seq} from ${e} where ${e.space} <> ${value('space')} limit ${value('limit')})`,
    ),
    drop: engine.command(() => sql`delete from ${f} where ${f.name} = ${value('name')}`),
    depths: engine.statement(
      { follower: depth.follower, depth: depth.depth, parked: depth.parked },
      () => sql`select ${o.follower}, ${depth.depth.sql}, ${depth.parked.sql} from ${o} group by ${o.follower}`,
    ),
    oldest: engine.statement(
      { at: o.createdAt },
      () => sql`select ${o.createdAt} from ${o} where ${o.follower} = ${value('follower')} and ${o.parkedAt} is null
        order by ${o.nextAttemptAt}, ${o.revision} limit 1`,
    ),
    pendingSince: engine.statement(
      { oldest: number(sql``), now: count(sql``) },
      () => sql`select ${engine.milliseconds(sql`min(${o.createdAt})`)}, ${engine.databaseTime} from ${o}
        where ${o.follower} = ${value('follower')} and ${o.parkedAt} is null and ${o.kind} <> 'cache'`,
    ),
    waiting: engine.statement(
      { n: count(sql``) },
      () =>
        sql`select count(*) from ${o} where ${o.tenantId} = ${value('tenantId')} and ${o.follower} = ${value('follower')} and ${o.parkedAt} is null and ${o.kind} <> 'cache'`,
    ),
    /** Whatever the records are now: a new revision, which is higher than what the follower may have. */
    enqueue: engine.command(
      () => sql`insert into ${o} (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
        select ${value('follower')}, k.tenant_id, k.kind, k.scope, k.record_id, ${engine.revision}, 0, ${bind(o.createdAt, 'now')}, ${bind(o.nextAttemptAt, 'due')}
        from ${engine.conditions.rows('keys', OUTBOX_KEY)} as k where true
        on conflict (follower, tenant_id, kind, scope, record_id) do update set revision = excluded.revision, attempts = 0,
          next_attempt_at = excluded.next_attempt_at, parked_at = null, error_code = null`,
    ),
    message: ofKind(engine, 'message'),
    memory: ofKind(engine, 'memory'),
    document: ofKind(engine, 'document'),
  }
})
