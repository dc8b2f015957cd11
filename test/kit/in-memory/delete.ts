import type { Context } from './context.js'
import type { Table } from './table.js'
import { messageKey, type Tables } from './tables.js'

interface Naming {
  readonly id: string
  readonly conversationId: string | null
  readonly version: number
}

/** Sessions and memories outlive the conversation that they name, whoever's they are. */
function unlink<R extends Naming>(context: Context, table: Table<R>, conversationId: string): void {
  for (const row of table.rows())
    if (row.conversationId === conversationId)
      table.set(row.id, { ...row, conversationId: null, updatedAt: context.now(), version: row.version + 1 })
}

/** Deletes a conversation with its messages. Answers how many messages went. */
export function deleteConversation(context: Context, tables: Tables, id: string): number {
  unlink(context, tables.sessions, id)
  unlink(context, tables.memories, id)
  const messages = tables.messages.rows().filter((message) => message.conversationId === id)
  for (const message of messages) tables.messages.delete(messageKey(id, message.id))
  tables.conversations.delete(id)
  return messages.length
}

/** Deletes a user with all that is theirs. */
export function deleteUser(context: Context, tables: Tables, userId: string): void {
  for (const { id, userId: owner } of tables.conversations.rows())
    if (owner === userId) deleteConversation(context, tables, id)
  for (const table of [tables.sessions, tables.memories])
    for (const { id, userId: owner } of table.rows()) if (owner === userId) table.delete(id)
  tables.users.delete(userId)
}
