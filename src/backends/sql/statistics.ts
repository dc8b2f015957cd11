import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Statistics } from '../../contract/statistics.js'
import { checkNames } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import { alive, now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { count, value } from './statement.js'

const counts = (ofUser: boolean) =>
  perEngine((engine) => {
    const { users, conversations: c, sessions: s, memories: m, documents: d } = engine.tables
    const n = { n: count(sql``) }
    const mine = (table: typeof c | typeof s | typeof m): SQL =>
      ofUser ? sql`and ${table.userId} = ${value('userId')}` : sql``
    const own = (table: typeof c | typeof s | typeof m): SQL =>
      sql`${tenantIs(table.tenantId)} ${mine(table)} and ${alive(table.expiresAt)}`
    return {
      users: engine.statement(
        n,
        () =>
          sql`select count(*) from ${users} where ${tenantIs(users.tenantId)} ${ofUser ? sql`and ${users.id} = ${value('userId')}` : sql``}`,
      ),
      conversations: engine.statement(
        { n: count(sql``), messages: count(sql``) },
        () => sql`select count(*), coalesce(sum(${c.messageCount}), 0) from ${c} where ${own(c)}`,
      ),
      sessions: engine.statement(
        { n: count(sql``), active: count(sql``) },
        () => sql`select count(*), count(case when ${s.endedAt} is null then 1 end) from ${s} where ${own(s)}`,
      ),
      memories: engine.statement(
        { type: m.type, n: count(sql``) },
        () => sql`select ${m.type}, count(*) from ${m} where ${own(m)} group by ${m.type} order by ${m.type}`,
      ),
      documents: engine.statement(
        n,
        () => sql`select count(*) from ${d} where ${tenantIs(d.tenantId)} and ${alive(d.expiresAt)}`,
      ),
    }
  })
const ofTenant = counts(false)
const ofUser = counts(true)

export function sqlStatistics(
  context: SqlContext,
): (options: { readonly userId?: string | undefined }) => Promise<Statistics> {
  return async (options) => {
    checkNames(options, ['userId'])
    const { userId } = options
    if (userId !== undefined) checkId(userId, 'userId')
    const s = (userId === undefined ? ofTenant : ofUser)(context.engine)
    const values = { tenantId: context.tenantId, userId, now: now(context) }
    return context.runner.read(async (session: SqlSession) => {
      const [users] = await session.all(s.users, values)
      const [conversations] = await session.all(s.conversations, values)
      const [sessions] = await session.all(s.sessions, values)
      const byType = await session.all(s.memories, values)
      const documents = userId === undefined ? ((await session.all(s.documents, values))[0]?.n ?? 0) : null
      return {
        users: users?.n ?? 0,
        conversations: conversations?.n ?? 0,
        messages: conversations?.messages ?? 0,
        sessions: sessions?.n ?? 0,
        activeSessions: sessions?.active ?? 0,
        memories: byType.reduce((sum, row) => sum + row.n, 0),
        memoriesByType: Object.fromEntries(byType.map((row) => [row.type, row.n])),
        documents,
      }
    })
  }
}
