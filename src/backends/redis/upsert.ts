import type { Message } from '../../model/records.js'
import { missing } from '../../repository/refusals.js'
import { nowOf, type RedisContext, slid } from './context.js'
import { aliveConversation, insertConversation, writeConversation } from './conversations.js'
import { positionField } from './keys.js'
import { addMessages, checkParents, type Draft } from './message-append.js'
import { findMessage, replaceMessage } from './message-edit.js'
import { lifeOf } from './records.js'
import type { Transaction } from './transaction.js'

/** Replaces messages whose id exists, in their place, and appends the others. */
export async function upsertMessages(
  tx: Transaction,
  context: RedisContext,
  conversationId: string,
  batch: readonly Draft[],
  userId: string | undefined,
): Promise<Message[]> {
  const { keys } = context
  const key = keys.conversation(conversationId)
  let conversation = aliveConversation(context, await tx.lock(key))
  if (!conversation && userId !== undefined)
    conversation = await insertConversation(tx, context, { id: conversationId, userId })
  if (!conversation || (userId !== undefined && conversation.userId !== userId)) throw missing('conversation')
  const unique = [...new Map(batch.map((message) => [message.id, message])).values()]
  const known = await tx.values(
    key,
    unique.map(({ id }) => positionField(id)),
  )
  const added = unique.filter((_, i) => known[i] === null)
  await checkParents(tx, context, conversationId, unique, batch)
  let position = conversation.lastPosition
  const at = nowOf(context)
  const stored: Message[] = []
  for (const [i, message] of unique.entries()) {
    if (known[i] === null) {
      stored.push({ ...message, position: ++position })
      continue
    }
    const found = await findMessage(tx, context, conversationId, message.id)
    if (!found) throw missing('message')
    const { message: before } = found
    const { position: place, createdAt } = before
    const next = { ...message, position: place, createdAt, updatedAt: at, version: before.version + 1 }
    replaceMessage(tx, context, found, next, conversation)
    stored.push(next)
  }
  addMessages(
    tx,
    context,
    stored.filter((_, i) => known[i] === null),
  )
  const messageCount = conversation.messageCount + added.length
  const next = { ...conversation, messageCount, lastPosition: position, updatedAt: at }
  writeConversation(tx, context, next, slid(context, lifeOf(await tx.fields(key))))
  const last = stored[stored.length - 1] as Message
  const type = added.length > 0 ? 'message.appended' : 'message.updated'
  tx.writes.told.push({ type, key: [conversationId, last.id], count: stored.length })
  return stored
}
