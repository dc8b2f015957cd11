import { missing } from '../../repository/refusals.js'
import type { RedisContext } from './context.js'
import { aliveConversation } from './conversations.js'
import type { Transaction } from './transaction.js'

/** The conversation that a session or memory names must be there; its deletion notices that it has been named. */
export async function named(tx: Transaction, context: RedisContext, conversationId: string | null): Promise<void> {
  if (conversationId === null) return
  const key = context.keys.conversation(conversationId)
  if (!aliveConversation(context, await tx.fields(key))) throw missing('conversation')
  tx.needs(key)
  tx.writes.children.set(key, (tx.writes.children.get(key) ?? 0) + 1)
}
