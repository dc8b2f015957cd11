import { sql } from 'drizzle-orm/sql/sql'
import type { Conversation } from '../../model/records.js'
import { messageText } from '../../search/fields.js'
import { useLanguage } from './analyzer.js'
import { type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { bind, list, value } from './statement.js'

const BATCH = 500

const statements = perEngine((engine) => {
  const { messages: m } = engine.tables
  const inConversation = sql`${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')}`
  const selection = { id: m.id, position: m.position, name: m.name, content: m.content }
  return {
    page: engine.statement(
      selection,
      () => sql`select ${list(selection)} from ${m} where ${inConversation} and ${m.position} > ${value('from')}
        order by ${m.position} limit ${sql.raw(String(BATCH))}`,
    ),
    write: engine.command(
      () =>
        sql`update ${m} set search_text = ${bind(m.searchText, 'searchText')} where ${inConversation} and ${m.id} = ${value('id')}`,
    ),
  }
})

/** Analyses a conversation's messages in its language, in the same transaction. */
export async function analyseMessages(
  context: SqlContext,
  session: SqlSession,
  { id: conversationId, language }: Conversation,
): Promise<void> {
  const { tenantId } = context
  const { page, write } = statements(context.engine)
  const analyzer = await useLanguage(context, session, language)
  for (let from = 0; ; ) {
    const rows = await session.all(page, { tenantId, conversationId, from })
    for (const row of rows)
      await session.run(write, {
        tenantId,
        conversationId,
        id: row.id,
        searchText: messageText(analyzer, tenantId, row),
      })
    const last = rows.at(-1)
    if (!last) return
    from = last.position
  }
}
