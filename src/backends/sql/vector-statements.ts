import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { SearchKind } from '../../model/records.js'
import { RECORD_COLUMNS } from './columns.js'
import { perEngine, type SqlEngine, TABLE_OF } from './engine.js'
import { bind, count, list, type Selection, value } from './statement.js'
import { insertInto } from './write.js'

const SPACE_KEYS = [
  'id',
  'provider',
  'model',
  'dimensions',
  'metric',
  'normalized',
  'state',
  'createdAt',
  'updatedAt',
  'version',
  'revision',
] as const
/** The follower that stands for the store's own vectors. */
export const FOLLOWER = 'vectors'
export const RECORD = { tenant_id: 'text', scope: 'text', record_id: 'text' } as const
const SEEN = { ...RECORD, seen: 'integer' } as const
const VECTOR = {
  ...RECORD,
  part: 'integer',
  hash_at: 'integer',
  hash_bytes: 'integer',
  vector_at: 'integer',
  vector_bytes: 'integer',
} as const

/** Where a record of each kind has its scope, its user, and what is embedded. */
function places({ tables }: SqlEngine, kind: SearchKind) {
  const { messages: m, memories, documents: d, conversations: c } = tables
  if (kind === 'message')
    return {
      scope: sql`${m.conversationId}`,
      userId: sql`${c.userId}`,
      join: sql`join ${c} on ${c.tenantId} = ${m.tenantId} and ${c.id} = ${m.conversationId}`,
      name: sql`${m.name}`,
      draft: sql`case when ${m.status} = 'draft' then 1 else 0 end`,
    }
  const none = { join: sql``, name: sql`null`, draft: sql`0` }
  return kind === 'memory'
    ? { ...none, scope: sql`''`, userId: sql`${memories.userId}` }
    : { ...none, scope: sql`${d.namespace}`, userId: sql`null` }
}

function ofKind(engine: SqlEngine, kind: SearchKind) {
  const { embeddings: e } = engine.tables
  const t = engine.tables[TABLE_OF[kind]]
  const { scope, userId, join, name, draft } = places(engine, kind)
  const columns = sql.raw(
    '(tenant_id, space, kind, scope, record_id, user_id, record_seq, part, content_hash, vector, created_at, updated_at, version, revision)',
  )
  const ofKey = sql`${t.tenantId} = k.tenant_id and ${t.id} = k.record_id and ${scope} = k.scope`
  const state: Selection = {
    ...RECORD_COLUMNS[kind](engine.tables),
    seq: t.seq,
    revision: t.revision,
    followedScope: { sql: scope, decode: String },
    holder: { sql: userId, decode: (v: unknown) => v as string | null },
    draft: count(draft),
    hash: { sql: sql`${e.contentHash}`, decode: (v: unknown) => v as Buffer | null },
    vector: { sql: sql`${e.vector}`, decode: (v: unknown) => v as Buffer | null },
  }
  const text = {
    tenantId: t.tenantId,
    scope: { sql: scope, decode: String },
    recordId: t.id,
    name: { sql: name, decode: (v: unknown) => v as string | null },
    content: t.content,
    draft: count(draft),
    hash: { sql: sql`${e.contentHash}`, decode: (v: unknown) => v as Buffer | null },
  }
  return {
    /** Vectors that are made anew get new rows: rows are added and taken away, never changed. */
    forget: engine.command(
      () =>
        sql`with old as materialized (${engine.lookedUp({
          rows: sql`${engine.conditions.rows('keys', RECORD)} as k`,
          table: sql`${e}`,
          columns: sql`${e.seq}`,
          where: sql`${e.tenantId} = k.tenant_id and ${e.space} = ${value('space')} and ${e.kind} = ${sql.raw(`'${kind}'`)}
          and ${e.scope} = k.scope and ${e.recordId} = k.record_id`,
          lock: engine.forUpdate,
        })}) delete from ${e} where ${e.seq} in (select seq from old)`,
    ),
    /** Stores vectors, which stand behind one another in one value, as their hashes do; none whose record is gone, or has one. */
    write: engine.statement(
      { tenantId: e.tenantId, scope: e.scope, recordId: e.recordId, seq: e.seq, recordSeq: e.recordSeq },
      () => sql`insert into ${e} ${columns}
        select ${t.tenantId}, ${value('space')}, ${sql.raw(`'${kind}'`)}, ${scope}, ${t.id}, ${userId}, ${t.seq}, k.part,
          substr(${value('hashes')}, cast(k.hash_at as integer), cast(k.hash_bytes as integer)),
          substr(${value('vectors')}, cast(k.vector_at as integer), cast(k.vector_bytes as integer)),
          ${bind(e.createdAt, 'now')}, ${bind(e.updatedAt, 'now')}, 1, ${engine.revision}
        from ${engine.conditions.rows('keys', VECTOR)} as k ${engine.join} ${t} on ${ofKey} ${join} where true
        on conflict (tenant_id, space, kind, scope, record_id) do nothing
        returning tenant_id, scope, record_id, seq, record_seq`,
    ),
    /** Those of some records that are as they were seen, held until the transaction ends; what others hold is left out. */
    hold: engine.statement({ tenantId: t.tenantId, scope: { sql: scope, decode: String }, recordId: t.id }, () =>
      engine.lookedUp({
        rows: sql`${engine.conditions.rows('keys', SEEN)} as k`,
        table: sql`${t}`,
        columns: sql`${t.tenantId}, ${scope}, ${t.id}`,
        where: sql`${ofKey} and ${t.revision} = k.seen`,
        lock: engine.forClaim,
      }),
    ),
    /** The texts of some records, with the hash of what each was last embedded from in a space. */
    texts: engine.statement(
      text,
      () => sql`select ${list(text)} from ${engine.conditions.rows('keys', RECORD)} as k
        ${engine.join} ${t} on ${ofKey} ${join}
        left join ${e} on ${e.tenantId} = ${t.tenantId} and ${e.space} = ${value('space')} and ${e.kind} = ${sql.raw(`'${kind}'`)}
          and ${e.scope} = ${scope} and ${e.recordId} = ${t.id}`,
    ),
    /** Some records as they are, with their vectors in a space. */
    states: engine.statement(
      state,
      () => sql`select ${list(state)} from ${engine.conditions.rows('keys', RECORD)} as k
        ${engine.join} ${t} on ${ofKey} ${join}
        left join ${e} on ${e.tenantId} = ${t.tenantId} and ${e.space} = ${value('space')} and ${e.kind} = ${sql.raw(`'${kind}'`)}
          and ${e.scope} = ${scope} and ${e.recordId} = ${t.id}`,
    ),
    /** Tells a follower of the records of a range of rows. */
    enqueue: engine.command(
      () => sql`insert into ${engine.tables.outbox} (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
        select ${value('follower')}, ${t.tenantId}, ${sql.raw(`'${kind}'`)}, ${scope}, ${t.id}, ${t.revision}, 0,
          ${bind(engine.tables.outbox.createdAt, 'now')}, ${bind(engine.tables.outbox.nextAttemptAt, 'now')}
        from ${t} ${join} where ${t.seq} > ${value('after')} and ${t.seq} <= ${value('upTo')}
        on conflict (follower, tenant_id, kind, scope, record_id) do update set revision = excluded.revision`,
    ),
    last: engine.statement({ n: count(sql``) }, () => sql`select coalesce(max(${t.seq}), 0) from ${t}`),
  }
}

const FOLLOWER_KEYS = [
  'name',
  'kind',
  'state',
  'kinds',
  'settings',
  'seededRevision',
  'leaseEpoch',
  'createdAt',
  'updatedAt',
  'version',
  'revision',
] as const

export const vectorStatements = perEngine((engine) => {
  const { spaces: s, embeddings: e, followers: f } = engine.tables
  const space = { id: s.id, provider: s.provider, model: s.model, dimensions: s.dimensions, metric: s.metric }
  const counted = { n: count(sql``) }
  const narrowed = (user: boolean, scope: boolean): SQL => sql`select count(*) from (select 1 from ${e}
    where ${rangeOf(user, scope)} limit ${value('most')}) as counted`
  const flags = [false, true]
  return {
    active: engine.statement(
      space,
      () => sql`select ${list(space)} from ${s} where ${s.state} = 'active' order by ${s.createdAt} desc limit 1`,
    ),
    insertSpace: engine.command(
      () =>
        sql`${insertInto(engine, 'spaces', SPACE_KEYS)} on conflict (id) do update set state = excluded.state, updated_at = excluded.updated_at`,
    ),
    retire: engine.command(
      () =>
        sql`update ${s} set state = 'retired', updated_at = ${bind(s.updatedAt, 'now')}, revision = ${engine.revision} where ${s.state} = 'active'`,
    ),
    activate: engine.command(
      () =>
        sql`update ${s} set state = 'active', updated_at = ${bind(s.updatedAt, 'now')}, revision = ${engine.revision} where ${s.id} = ${value('id')}`,
    ),
    insertFollower: engine.command(
      () =>
        sql`${insertInto(engine, 'followers', FOLLOWER_KEYS)} on conflict (name) do update set state = excluded.state, settings = excluded.settings, updated_at = excluded.updated_at`,
    ),
    follower: engine.statement(
      { state: f.state },
      () => sql`select ${f.state} from ${f} where ${f.name} = ${sql.raw(`'${FOLLOWER}'`)}`,
    ),
    retireFollower: engine.command(
      () =>
        sql`update ${f} set state = 'retired', updated_at = ${bind(f.updatedAt, 'now')}, revision = ${engine.revision} where ${f.name} = ${value('name')}`,
    ),
    forgetOutbox: engine.command(
      () => sql`delete from ${engine.tables.outbox} where ${engine.tables.outbox.follower} = ${value('follower')}`,
    ),
    /** How many vectors a search has to choose from, up to `most`; by whether a user and a scope are named. */
    narrowed: flags.map((user) => flags.map((scope) => engine.statement(counted, () => narrowed(user, scope)))),
    message: ofKind(engine, 'message'),
    memory: ofKind(engine, 'memory'),
    document: ofKind(engine, 'document'),
  }
})

/** The range of a tenant's vectors of one kind, or of one user or scope of it. */
export function rangeOf(user: boolean, scope: boolean, alias = 'bruno_embeddings'): SQL {
  const column = (name: string) => sql`${sql.identifier(alias)}.${sql.identifier(name)}`
  const parts = [
    sql`${column('tenant_id')} = ${value('tenantId')}`,
    sql`${column('space')} = ${value('space')}`,
    sql`${column('kind')} = ${value('kind')}`,
  ]
  if (user) parts.push(sql`${column('user_id')} = ${value('userId')}`)
  if (scope) parts.push(sql`${column('scope')} = ${value('scope')}`)
  return sql.join(parts, sql` and `)
}
