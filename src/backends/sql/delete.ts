import { type SQL, sql } from 'drizzle-orm/sql/sql'
import { now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { bind, count, value } from './statement.js'

const statements = perEngine((engine) => {
  const { users, conversations, messages, sessions, memories } = engine.tables
  const ofUser = sql`(select ${conversations.id} from ${conversations} where ${tenantIs(conversations.tenantId)} and ${conversations.userId} = ${value('userId')})`
  // Sessions and memories outlive the conversation that they name, whoever's they are.
  const unlink = (table: typeof sessions | typeof memories, of: SQL): SQL => sql`
    update ${table} set conversation_id = null, updated_at = ${bind(table.updatedAt, 'now')}, version = ${table.version} + 1, revision = ${engine.revision}
    where ${tenantIs(table.tenantId)} and ${table.conversationId} ${of}`
  return {
    unlinkSessions: engine.command(() => unlink(sessions, sql`= ${value('id')}`)),
    unlinkMemories: engine.command(() => unlink(memories, sql`= ${value('id')}`)),
    unlinkSessionsOfUser: engine.command(() => unlink(sessions, sql`in ${ofUser}`)),
    unlinkMemoriesOfUser: engine.command(() => unlink(memories, sql`in ${ofUser}`)),
    countMessages: engine.statement(
      { n: count(sql`count(*)`) },
      () =>
        sql`select count(*) from ${messages} where ${tenantIs(messages.tenantId)} and ${messages.conversationId} = ${value('id')}`,
    ),
    // Messages go by the foreign key's cascade, and their index entries by its triggers.
    deleteConversation: engine.command(
      () =>
        sql`delete from ${conversations} where ${tenantIs(conversations.tenantId)} and ${conversations.id} = ${value('id')}`,
    ),
    deleteUser: engine.command(
      () => sql`delete from ${users} where ${tenantIs(users.tenantId)} and ${users.id} = ${value('userId')}`,
    ),
  }
})

/** Deletes conversations with their messages. Answers how many messages went. */
export async function deleteConversations(
  context: SqlContext,
  session: SqlSession,
  ids: readonly string[],
): Promise<number> {
  const s = statements(context.engine)
  let messages = 0
  for (const id of ids) {
    const values = { tenantId: context.tenantId, id, now: now(context) }
    messages += (await session.all(s.countMessages, values))[0]?.n ?? 0
    await session.run(s.unlinkSessions, values)
    await session.run(s.unlinkMemories, values)
    await session.run(s.deleteConversation, values)
  }
  return messages
}

/** Deletes a user with all that is theirs. Answers whether there was one. */
export async function deleteUser(context: SqlContext, session: SqlSession, userId: string): Promise<boolean> {
  const s = statements(context.engine)
  const values = { tenantId: context.tenantId, userId, now: now(context) }
  await session.run(s.unlinkSessionsOfUser, values)
  await session.run(s.unlinkMemoriesOfUser, values)
  return (await session.run(s.deleteUser, values)) > 0
}
