import { type SQL, sql } from 'drizzle-orm/sql/sql'
import { tenantIs } from './context.js'
import { perEngine, type SqlEngine } from './engine.js'
import { bare, count, list, value } from './statement.js'
import { FOLLOWER } from './vector-statements.js'

const DOCUMENT = { namespace: 'text', id: 'text' } as const

/** What is of a tenant, or of one of its users. */
function ofSubject(engine: SqlEngine, ofUser: boolean) {
  const { users: u, conversations: c, messages: m, sessions: s, memories, embeddings: e } = engine.tables
  type Owned = typeof c | typeof s | typeof memories | typeof e
  const mine = (table: Owned): SQL =>
    sql`${tenantIs(table.tenantId)} ${ofUser ? sql`and ${table.userId} = ${value('userId')}` : sql``}`
  const counted = (query: SQL) => engine.statement({ n: count(sql``) }, () => sql`select count(*) from ${query}`)
  const inMine = ofUser ? sql`and ${m.conversationId} in (select ${c.id} from ${c} where ${mine(c)})` : sql``
  return {
    counts: {
      bruno_users: counted(
        sql`${u} where ${tenantIs(u.tenantId)} ${ofUser ? sql`and ${u.id} = ${value('userId')}` : sql``}`,
      ),
      bruno_conversations: counted(sql`${c} where ${mine(c)}`),
      bruno_messages: counted(sql`${m} where ${tenantIs(m.tenantId)} ${inMine}`),
      bruno_sessions: counted(sql`${s} where ${mine(s)}`),
      bruno_memories: counted(sql`${memories} where ${mine(memories)}`),
      bruno_embeddings: counted(sql`${e} where ${mine(e)}`),
    },
    conversations: engine.statement(
      { id: c.id },
      () => sql`select ${c.id} from ${c} where ${mine(c)} order by ${c.id} limit ${value('limit')}`,
    ),
    memories: engine.statement(
      { id: memories.id, content: memories.content },
      () =>
        sql`select ${memories.id}, ${memories.content} from ${memories} where ${mine(memories)} order by ${memories.id} limit ${value('limit')}`,
    ),
    dropSessions: engine.command(
      () => sql`delete from ${s} where ${tenantIs(s.tenantId)} and ${s.id} in
        (select ${s.id} from ${s} where ${mine(s)} order by ${s.id} limit ${value('limit')})`,
    ),
    dropEmbeddings: engine.command(
      () => sql`delete from ${e} where ${tenantIs(e.tenantId)} and ${e.seq} in
        (select ${e.seq} from ${e} where ${mine(e)} limit ${value('limit')})`,
    ),
  }
}

/** Entries of the outbox whose record is gone. */
function gone(engine: SqlEngine): SQL {
  const { outbox: o, messages: m, memories, documents: d, conversations: c } = engine.tables
  const none = (kind: string, rows: SQL): SQL =>
    sql`(${o.kind} = ${sql.raw(`'${kind}'`)} and not exists (select 1 from ${rows}))`
  return sql`(${sql.join(
    [
      none(
        'message',
        sql`${m} where ${m.tenantId} = ${o.tenantId} and ${m.conversationId} = ${o.scope} and ${m.id} = ${o.recordId}`,
      ),
      none('memory', sql`${memories} where ${memories.tenantId} = ${o.tenantId} and ${memories.id} = ${o.recordId}`),
      none(
        'document',
        sql`${d} where ${d.tenantId} = ${o.tenantId} and ${d.namespace} = ${o.scope} and ${d.id} = ${o.recordId}`,
      ),
      none('conversation', sql`${c} where ${c.tenantId} = ${o.tenantId} and ${c.id} = ${o.recordId}`),
    ],
    sql` or `,
  )})`
}

export const eraseStatements = perEngine((engine) => {
  const { users: u, conversations: c, messages: m, sessions: s, memories, documents: d } = engine.tables
  const { operations: p, journal: j, outbox: o } = engine.tables
  const inConversation = sql`${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')}`
  const range = sql`${inConversation} and ${m.position} >= ${value('low')} and ${m.position} <= ${value('high')}`
  const holder = (table: typeof c | typeof s | typeof memories) =>
    engine.statement(
      { id: table.id, userId: table.userId },
      () =>
        sql`select ${table.id}, ${table.userId} from ${table} where ${tenantIs(table.tenantId)} and ${engine.conditions.among(sql`${table.id}`, 'ids')}`,
    )
  const operation = {
    operationId: p.operationId,
    records: p.records,
    createdAt: p.createdAt,
    hasResult: count(sql`case when ${p.result} is null then 0 else 1 end`),
  }
  const entry = { seq: j.seq, state: j.state, what: j.what }
  const these = sql`${tenantIs(p.tenantId)} and ${engine.conditions.among(sql`${p.operationId}`, 'ids')}`
  const text = { name: m.name, content: m.content }
  const flags = [false, true]
  return {
    /** By whether they are of one user. */
    subject: flags.map((ofUser) => ofSubject(engine, ofUser)),
    /** The newest first: a reply goes before what it replies to. */
    messages: engine.statement(
      { position: m.position, ...text },
      () =>
        sql`select ${m.position}, ${list(text)} from ${m} where ${inConversation} order by ${m.position} desc limit ${value('limit')}`,
    ),
    dropMessages: engine.statement(
      text,
      () => sql`delete from ${m} where ${range} returning ${bare(m.name)}, ${bare(m.content)}`,
    ),
    lockConversation: engine.statement(
      { id: c.id },
      () =>
        sql`select ${c.id} from ${c} where ${tenantIs(c.tenantId)} and ${c.id} = ${value('conversationId')} ${engine.forUpdate}`,
    ),
    dropMemories: engine.statement(
      { content: memories.content },
      () => sql`delete from ${memories} where ${tenantIs(memories.tenantId)}
        and ${engine.conditions.among(sql`${memories.id}`, 'ids')} returning ${bare(memories.content)}`,
    ),
    documents: engine.statement(
      { namespace: d.namespace, id: d.id, content: d.content },
      () => sql`select ${d.namespace}, ${d.id}, ${d.content} from ${d} where ${tenantIs(d.tenantId)}
        order by ${d.namespace}, ${d.id} limit ${value('limit')}`,
    ),
    countDocuments: engine.statement(
      { n: count(sql``) },
      () => sql`select count(*) from ${d} where ${tenantIs(d.tenantId)}`,
    ),
    dropDocuments: engine.statement(
      { content: d.content },
      () => sql`delete from ${d} where ${tenantIs(d.tenantId)} and (namespace, id) in
        (select k.namespace, k.id from ${engine.conditions.rows('keys', DOCUMENT)} as k) returning ${bare(d.content)}`,
    ),
    users: engine.statement(
      { id: u.id },
      () =>
        sql`select ${u.id} from ${u} where ${tenantIs(u.tenantId)} and ${u.id} > ${value('after')} order by ${u.id} limit ${value('limit')}`,
    ),
    /** Held, so that nobody begins anything for this user until the transaction has ended. */
    lockUser: engine.statement(
      { id: u.id },
      () =>
        sql`select ${u.id} from ${u} where ${tenantIs(u.tenantId)} and ${u.id} = ${value('userId')} ${engine.forUpdate}`,
    ),
    dropUser: engine.command(
      () => sql`delete from ${u} where ${tenantIs(u.tenantId)} and ${u.id} = ${value('userId')}`,
    ),
    operations: engine.statement(
      operation,
      () => sql`select ${list(operation)} from ${p} where ${tenantIs(p.tenantId)} and ${p.operationId} > ${value('after')}
        order by ${p.operationId} limit ${value('limit')}`,
    ),
    countOperations: engine.statement(
      { n: count(sql``) },
      () => sql`select count(*) from ${p} where ${tenantIs(p.tenantId)}`,
    ),
    dropAllOperations: engine.command(
      () => sql`delete from ${p} where ${tenantIs(p.tenantId)} and ${p.operationId} in
        (select ${p.operationId} from ${p} where ${tenantIs(p.tenantId)} limit ${value('limit')})`,
    ),
    dropOperations: engine.command(() => sql`delete from ${p} where ${these}`),
    forgetResults: engine.command(() => sql`update ${p} set result = null where ${these}`),
    journal: engine.statement(
      entry,
      () => sql`select ${list(entry)} from ${j} where ${tenantIs(j.tenantId)} and ${j.seq} > ${value('after')}
        order by ${j.seq} limit ${value('limit')}`,
    ),
    dropEntries: engine.command(
      () => sql`delete from ${j} where ${tenantIs(j.tenantId)}
        and ${j.seq} in (select r.seq from ${engine.conditions.rows('seqs', { seq: 'integer' })} as r)`,
    ),
    holders: { conversation: holder(c), session: holder(s), memory: holder(memories) },
    knownUsers: engine.statement(
      { id: u.id, userId: u.id },
      () =>
        sql`select ${u.id}, ${u.id} from ${u} where ${tenantIs(u.tenantId)} and ${engine.conditions.among(sql`${u.id}`, 'ids')}`,
    ),
    knownDocuments: engine.statement(
      { namespace: d.namespace, id: d.id },
      () => sql`select ${d.namespace}, ${d.id} from ${d} where ${tenantIs(d.tenantId)} and (namespace, id) in
        (select k.namespace, k.id from ${engine.conditions.rows('keys', DOCUMENT)} as k)`,
    ),
    /** The store's own follower has nothing to do for a record that is gone: its vector went with it. */
    dropTold: engine.command(
      () => sql`delete from ${o} where (follower, tenant_id, kind, scope, record_id) in (
        select follower, tenant_id, kind, scope, record_id from ${o}
        where ${tenantIs(o.tenantId)} and ${o.follower} = ${sql.raw(`'${FOLLOWER}'`)} and ${gone(engine)} limit ${value('limit')})`,
    ),
    /** By whether only what names a record that is gone counts. */
    waiting: flags.map((ofUser) =>
      engine.statement(
        { follower: o.follower, records: count(sql``) },
        () => sql`select ${o.follower}, count(*) from ${o} where ${tenantIs(o.tenantId)}
          ${ofUser ? sql`and (${gone(engine)} or ${o.kind} = 'cache')` : sql``} group by ${o.follower}`,
      ),
    ),
  }
})
