import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { RetentionOptions, RetentionPolicy, RetentionReport } from '../../contract/erase.js'
import { batchSize } from '../../repository/purge-options.js'
import { now, type SqlContext, type SqlStoreContext, tenantIs } from './context.js'
import { deleteConversations } from './delete.js'
import { perEngine, type SqlEngine, type SqlRunner, type SqlSession } from './engine.js'
import { bind, count, type Statement, type Values, value } from './statement.js'

const DAY = 24 * 60 * 60 * 1000
/** Conversations looked for at a time. */
const PAGE = 500

/** Messages that one rule does not keep, and how they are found. */
function doomed(engine: SqlEngine, keepSystem: boolean) {
  const { conversations: c, messages: m } = engine.tables
  const inConversation = sql`${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')}`
  const system = keepSystem ? sql`and ${m.role} <> 'system'` : sql``
  const old = sql`${m.createdAt} < ${bind(m.createdAt, 'before')} ${system}`
  // The newest are counted with those that stay in any case.
  const surplus = sql`${m.position} <= (select n.position from ${m} as n where n.tenant_id = ${value('tenantId')}
    and n.conversation_id = ${value('conversationId')} order by n.position desc limit 1 offset ${value('most')}) ${system}`
  const ranked = sql`(select ${m.role} as role, row_number() over (partition by ${m.conversationId} order by ${m.position} desc) as nth
    from ${m} where ${tenantIs(m.tenantId)}) as ranked`
  /** @param rows How many there are. @param holding Which conversations may have any, behind `after`. */
  const rule = (match: SQL, rows: SQL, holding: SQL) => {
    const these = sql`select ${m.position} from ${m} where ${inConversation} and ${match} order by ${m.position} limit ${value('limit')}`
    return {
      count: engine.statement({ n: count(sql``) }, () => sql`select count(*) from ${rows}`),
      in: engine.statement({ id: c.id }, () => holding),
      orphan: engine.command(
        () => sql`update ${m} set parent_id = null, updated_at = ${bind(m.updatedAt, 'now')}, version = ${m.version} + 1, revision = ${engine.revision}
          where ${inConversation} and ${m.parentId} in (select ${m.id} from ${m} where ${inConversation} and ${m.position} in (${these}))`,
      ),
      drop: engine.command(() => sql`delete from ${m} where ${inConversation} and ${m.position} in (${these})`),
    }
  }
  return {
    old: rule(
      old,
      sql`${m} where ${tenantIs(m.tenantId)} and ${old}`,
      sql`select distinct ${m.conversationId} from ${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} > ${value('after')}
        and ${old} order by ${m.conversationId} limit ${value('page')}`,
    ),
    surplus: rule(
      surplus,
      sql`${ranked} where nth > ${value('most')} ${keepSystem ? sql`and role <> 'system'` : sql``}`,
      sql`select ${c.id} from ${c} where ${tenantIs(c.tenantId)} and ${c.id} > ${value('after')}
        and ${c.messageCount} > ${value('most')} order by ${c.id} limit ${value('page')}`,
    ),
    lock: engine.statement(
      { id: c.id },
      () =>
        sql`select ${c.id} from ${c} where ${tenantIs(c.tenantId)} and ${c.id} = ${value('conversationId')} ${engine.forUpdate}`,
    ),
    // Not `updatedAt`: what a policy removes is no activity.
    shrink: engine.command(
      () => sql`update ${c} set message_count = ${c.messageCount} - ${value('n')}, revision = ${engine.revision}
        where ${tenantIs(c.tenantId)} and ${c.id} = ${value('conversationId')}`,
    ),
  }
}

const statements = perEngine((engine) => {
  const { users: u, conversations: c, messages: m, sessions: s, memories } = engine.tables
  const idle = sql`${tenantIs(c.tenantId)} and ${c.updatedAt} < ${bind(c.updatedAt, 'before')}`
  const counted = (query: SQL) => engine.statement({ n: count(sql``) }, () => sql`select count(*) from ${query}`)
  const bounded = (table: typeof s | typeof memories, match: SQL) => {
    const where = sql`${tenantIs(table.tenantId)} and ${match}`
    return {
      count: counted(sql`${table} where ${where}`),
      drop: engine.command(
        () => sql`delete from ${table} where ${tenantIs(table.tenantId)} and ${table.id} in
          (select ${table.id} from ${table} where ${where} order by ${table.id} limit ${value('limit')})`,
      ),
    }
  }
  return {
    /** Everything of a tenant names one of its users. */
    tenants: engine.statement(
      { id: u.tenantId },
      () => sql`with recursive t(id) as (
        select min(${u.tenantId}) from ${u}
        union all select (select min(${u.tenantId}) from ${u} where ${u.tenantId} > t.id) from t where t.id is not null
      ) select id from t where id is not null`,
    ),
    messages: [false, true].map((keepSystem) => doomed(engine, keepSystem)),
    idle: engine.statement(
      { id: c.id },
      () => sql`select ${c.id} from ${c} where ${idle} order by ${c.id} limit ${value('limit')}`,
    ),
    stillIdle: engine.statement(
      { id: c.id },
      () => sql`select ${c.id} from ${c} where ${idle} and ${c.id} = ${value('conversationId')} ${engine.forUpdate}`,
    ),
    countIdle: counted(sql`${c} where ${idle}`),
    countIdleMessages: counted(
      sql`${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} in (select ${c.id} from ${c} where ${idle})`,
    ),
    part: engine.command(
      () => sql`delete from ${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')} and ${m.position} in
        (select ${m.position} from ${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')} order by ${m.position} desc limit ${value('limit')})`,
    ),
    memories: bounded(memories, sql`${memories.createdAt} < ${bind(memories.createdAt, 'before')}`),
    sessions: bounded(s, sql`${s.endedAt} < ${bind(s.endedAt, 'before')}`),
  }
})

type Counts = Omit<{ -readonly [K in keyof RetentionReport]: number }, 'dryRun' | 'tenants'>
type Rule = ReturnType<typeof doomed>['old']

/** What a policy does not keep of one tenant. */
class TenantRetention {
  readonly counts: Counts = { conversations: 0, messages: 0, memories: 0, sessions: 0 }
  readonly #s
  readonly #messages

  constructor(
    readonly context: SqlContext,
    readonly policy: RetentionPolicy,
    readonly batch: number,
    readonly dryRun: boolean,
  ) {
    this.#s = statements(context.engine)
    this.#messages = this.#s.messages[policy.keepSystem === false ? 0 : 1] as ReturnType<typeof doomed>
  }

  #before(days: number): Values {
    const { tenantId, clock } = this.context
    return { tenantId, before: new Date(clock() - days * DAY), limit: this.batch }
  }

  #look<R>(statement: Statement<R>, values: Values): Promise<R[]> {
    const { runner } = this.context
    return (runner.current ?? runner.read)(async (session) => session.all(statement, values))
  }
  async #n(statement: Statement<{ n: number }>, values: Values): Promise<number> {
    return (await this.#look(statement, values))[0]?.n ?? 0
  }

  async run(): Promise<Counts> {
    const { inactiveConversationDays, messageDays, messagesPerConversation, memoryDays, endedSessionDays } = this.policy
    if (inactiveConversationDays !== undefined) await this.#conversations(this.#before(inactiveConversationDays))
    if (messageDays !== undefined) await this.#thin(this.#messages.old, this.#before(messageDays))
    if (messagesPerConversation !== undefined)
      await this.#thin(this.#messages.surplus, { ...this.#before(0), most: messagesPerConversation })
    if (memoryDays !== undefined) this.counts.memories += await this.#drop(this.#s.memories, this.#before(memoryDays))
    if (endedSessionDays !== undefined)
      this.counts.sessions += await this.#drop(this.#s.sessions, this.#before(endedSessionDays))
    return this.counts
  }

  async #drop(
    { count: counting, drop }: { count: Statement<{ n: number }>; drop: Statement<never> },
    values: Values,
  ): Promise<number> {
    if (this.dryRun) return this.#n(counting, values)
    for (let total = 0; ; ) {
      const n = await this.context.runner.write(async (session) => session.run(drop, values))
      total += n
      if (n < this.batch) return total
    }
  }

  async #conversations(values: Values): Promise<void> {
    if (this.dryRun) {
      this.counts.conversations += await this.#n(this.#s.countIdle, values)
      this.counts.messages += await this.#n(this.#s.countIdleMessages, values)
      return
    }
    for (;;) {
      const page = await this.#look(this.#s.idle, values)
      for (const { id } of page) await this.#conversation({ ...values, conversationId: id })
      if (page.length < this.batch) return
    }
  }

  /** A long one goes in parts, each of which looks whether somebody has begun to write again. */
  async #conversation(values: Values & { readonly conversationId: string }): Promise<void> {
    const { runner } = this.context
    const whileIdle = <T>(work: (session: SqlSession) => Promise<T>) =>
      runner.write(async (session) =>
        (await session.all(this.#s.stillIdle, values)).length > 0 ? work(session) : null,
      )
    for (let n: number | null = this.batch; n === this.batch; this.counts.messages += n ?? 0)
      n = await whileIdle(async (session) => {
        const gone = await session.run(this.#s.part, values)
        await session.run(this.#messages.shrink, { ...values, n: gone })
        return gone
      })
    const rest = await whileIdle((session) => deleteConversations(this.context, session, [values.conversationId]))
    if (rest === null) return
    this.counts.conversations++
    this.counts.messages += rest
  }

  async #thin(rule: Rule, values: Values): Promise<void> {
    if (this.dryRun) {
      this.counts.messages += await this.#n(rule.count, values)
      return
    }
    for (let after = ''; ; ) {
      const page = await this.#look(rule.in, { ...values, after, page: PAGE })
      for (const { id } of page) await this.#thinOne(rule, { ...values, conversationId: id })
      if (page.length < PAGE) return
      after = page.at(-1)?.id as string
    }
  }

  async #thinOne(rule: Rule, values: Values): Promise<void> {
    const { lock, shrink } = this.#messages
    for (let n = this.batch; n === this.batch; this.counts.messages += n)
      n = await this.context.runner.write(async (session) => {
        if ((await session.all(lock, values)).length === 0) return 0
        await session.run(rule.orphan, { ...values, now: now(this.context) })
        const gone = await session.run(rule.drop, values)
        if (gone > 0) await session.run(shrink, { ...values, n: gone })
        return gone
      })
  }
}

/** Removes what a policy does not keep, tenant by tenant. */
export async function retainStore(
  store: SqlStoreContext,
  runnerOf: (tenantId: string) => SqlRunner,
  upkeep: SqlRunner,
  policy: RetentionPolicy,
  { tenantId: only, dryRun = false, batch }: RetentionOptions,
): Promise<RetentionReport> {
  const size = batchSize({ batch })
  const all = async () => upkeep.read(async (session) => session.all(statements(store.engine).tenants))
  const tenants = only === undefined ? (await all()).map(({ id }) => id) : [only]
  const total = { conversations: 0, messages: 0, memories: 0, sessions: 0 }
  for (const tenantId of tenants) {
    const context = { ...store, tenantId, runner: runnerOf(tenantId) }
    const counts = await new TenantRetention(context, policy, size, dryRun).run()
    for (const kind of Object.keys(total) as (keyof Counts)[]) total[kind] += counts[kind]
  }
  return { dryRun, tenants: tenants.length, ...total }
}
