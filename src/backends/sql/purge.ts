import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { PurgeOptions, PurgeReport } from '../../contract/statistics.js'
import { batchSize } from '../../repository/purge-options.js'
import { now, type SqlContext, type SqlStoreContext, tenantIs } from './context.js'
import { deleteConversations } from './delete.js'
import { perEngine, type SqlRunner, type SqlSession } from './engine.js'
import { bind, list, type Statement, value } from './statement.js'

const statements = perEngine((engine) => {
  const { conversations: c, messages: m, sessions: s, memories, documents: d, operations: o } = engine.tables
  type Expiring = typeof c | typeof s | typeof memories | typeof d | typeof o
  const due = (table: Expiring): SQL =>
    sql`${tenantIs(table.tenantId)} and ${table.expiresAt} <= ${bind(table.expiresAt, 'now')}`
  // What another purge has in hand is left to it, instead of waited for; the rows are chosen once, before any goes.
  const dropDue = (table: Expiring, keys: Parameters<typeof list>[0], match: SQL): Statement<never> =>
    engine.command(
      () => sql`with due as materialized (
        select ${list(keys)} from ${table} where ${due(table)} order by ${table.expiresAt} limit ${value('limit')} ${engine.forClaim}
      ) delete from ${table} where ${tenantIs(table.tenantId)} and ${match}`,
    )
  const drop = (table: typeof s | typeof memories): Statement<never> =>
    dropDue(table, { id: table.id }, sql`${table.id} in (select id from due)`)
  // A loose index scan: one step per tenant, whatever it holds.
  const tenants = (table: Expiring): SQL => sql`
    with recursive t(id) as (
      select min(${table.tenantId}) from ${table} where ${table.expiresAt} is not null
      union all
      select (select min(${table.tenantId}) from ${table} where ${table.expiresAt} is not null and ${table.tenantId} > t.id) from t where t.id is not null
    ) select id from t where id is not null`
  return {
    dueConversations: engine.statement(
      { id: c.id },
      () => sql`select ${c.id} from ${c} where ${due(c)} order by ${c.expiresAt} limit ${value('limit')}`,
    ),
    stillDue: engine.statement(
      { id: c.id },
      () => sql`select ${c.id} from ${c} where ${due(c)} and ${c.id} = ${value('id')} ${engine.forUpdate}`,
    ),
    messages: engine.command(
      () => sql`delete from ${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('id')} and ${m.position} in
        (select ${m.position} from ${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('id')} order by ${m.position} limit ${value('limit')})`,
    ),
    sessions: drop(s),
    memories: drop(memories),
    documents: dropDue(
      d,
      { namespace: d.namespace, id: d.id },
      sql`(${d.namespace}, ${d.id}) in (select namespace, id from due)`,
    ),
    operations: dropDue(o, { id: o.operationId }, sql`${o.operationId} in (select operation_id from due)`),
    tenants: [c, s, memories, d, o].map((table) => engine.statement({ id: table.tenantId }, () => tenants(table))),
  }
})

/** Runs a bounded delete, each time in its own transaction, until it finds less than a batch. */
async function drain(
  runner: SqlRunner,
  batch: number,
  remove: (session: SqlSession) => Promise<number>,
): Promise<number> {
  let total = 0
  for (;;) {
    const n = await runner.write(remove)
    total += n
    if (n < batch) return total
  }
}

async function purgeConversations(
  context: SqlContext,
  batch: number,
): Promise<{ conversations: number; messages: number }> {
  const s = statements(context.engine)
  const { runner, tenantId } = context
  const at = now(context)
  let conversations = 0
  let messages = 0
  // Between two parts somebody may have begun the conversation again, under the same id: then it is another one.
  const whileDue = (id: string, work: (session: SqlSession) => Promise<number>) => async (session: SqlSession) =>
    (await session.all(s.stillDue, { tenantId, id, now: at })).length > 0 ? work(session) : 0
  for (;;) {
    const due = await runner.read(async (session) =>
      session.all(s.dueConversations, { tenantId, now: at, limit: batch }),
    )
    for (const { id } of due) {
      // A long conversation goes in parts: nobody can see it any more, and no writer waits for all of it.
      messages += await drain(
        runner,
        batch,
        whileDue(id, async (session) => session.run(s.messages, { tenantId, id, limit: batch })),
      )
      const rest = await runner.write(
        whileDue(id, async (session) => 1 + (await deleteConversations(context, session, [id]))),
      )
      if (rest > 0) conversations++
      messages += Math.max(0, rest - 1)
    }
    if (due.length < batch) return { conversations, messages }
  }
}

/** Removes what has expired in one tenant, in bounded batches. */
export async function purgeTenant(context: SqlContext, options: PurgeOptions): Promise<PurgeReport> {
  const limit = batchSize(options)
  const s = statements(context.engine)
  const values = { tenantId: context.tenantId, now: now(context), limit }
  const drop = (statement: Statement<never>): Promise<number> =>
    drain(context.runner, limit, async (session) => session.run(statement, values))
  const { conversations, messages } = await purgeConversations(context, limit)
  return {
    conversations,
    messages,
    sessions: await drop(s.sessions),
    memories: await drop(s.memories),
    documents: await drop(s.documents),
    operations: await drop(s.operations),
  }
}

/** The same for every tenant that has anything which can expire. */
export async function sweepStore(
  store: SqlStoreContext,
  runner: SqlRunner,
  options: PurgeOptions,
): Promise<PurgeReport> {
  batchSize(options)
  const tenants = new Set<string>()
  await runner.read(async (session) => {
    for (const statement of statements(store.engine).tenants)
      for (const { id } of await session.all(statement, {})) tenants.add(id)
  })
  const total = { conversations: 0, messages: 0, sessions: 0, memories: 0, documents: 0, operations: 0 }
  for (const tenantId of tenants) {
    const report = await purgeTenant({ ...store, tenantId, runner }, options)
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += report[key]
  }
  return total
}
