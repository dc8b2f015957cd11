import type { Conversation, Message } from '../../model/records.js'
import { missing } from '../../repository/refusals.js'
import { nowOf, type RedisContext } from './context.js'
import { aliveConversation, writeConversation } from './conversations.js'
import { positionField } from './keys.js'
import { behind, from, positionKey } from './order.js'
import { lifeOf, messageMember, readMessage } from './records.js'
import { batches } from './scan.js'
import type { Transaction } from './transaction.js'

interface Found {
  readonly message: Message
  /** As the listing holds it. */
  readonly member: string
}

/** A message by its id: where it stands, then what stands there. */
export async function findMessage(
  tx: Transaction,
  { keys, tenantId }: RedisContext,
  conversationId: string,
  id: string,
): Promise<Found | null> {
  const [position] = await tx.values(keys.conversation(conversationId), [positionField(id)])
  if (position === null || position === undefined) return null
  const at = positionKey(Number(position))
  const [member] = await tx.range(keys.messages(conversationId), { min: from(at), max: behind(at), limit: 1 })
  return member === undefined ? null : { message: readMessage(member, tenantId, conversationId), member }
}

/** Writes the conversation as it stands: whoever changes it meanwhile notices. */
async function touchConversation(
  tx: Transaction,
  context: RedisContext,
  conversation: Conversation,
  removed = 0,
): Promise<void> {
  const next = { ...conversation, messageCount: conversation.messageCount - removed, updatedAt: nowOf(context) }
  writeConversation(tx, context, next, lifeOf(await tx.fields(context.keys.conversation(conversation.id))))
}

/** Puts a changed message into the place of the old one. */
export function replaceMessage(
  tx: Transaction,
  { keys }: RedisContext,
  found: Found,
  next: Message,
  conversation: Conversation,
): void {
  const { members } = tx.writes.set(keys.messages(next.conversationId))
  members.set(found.member, false)
  members.set(messageMember(next), true)
  // Its time stays; what changes is that it cannot be written over unseen.
  tx.writes.hash(keys.conversation(next.conversationId)).fields.set('n', String(conversation.messageCount))
}

/** Removes messages; replies to them stay, and name no parent. */
async function removeAll(tx: Transaction, context: RedisContext, id: string, gone: ReadonlyMap<string, string>) {
  const { keys, tenantId } = context
  const { members } = tx.writes.set(keys.messages(id))
  const { fields } = tx.writes.hash(keys.conversation(id))
  const orphans: Found[] = []
  for await (const batch of batches(tx, keys.messages(id)))
    for (const member of batch) {
      const message = readMessage(member, tenantId, id)
      if (message.parentId !== null && gone.has(message.parentId) && !gone.has(message.id))
        orphans.push({ message, member })
    }
  for (const [messageId, member] of gone) {
    members.set(member, false)
    fields.set(positionField(messageId), null)
  }
  const updatedAt = nowOf(context)
  for (const { message, member } of orphans) {
    members.set(member, false)
    members.set(messageMember({ ...message, parentId: null, updatedAt, version: message.version + 1 }), true)
  }
}

export async function deleteMessage(
  tx: Transaction,
  context: RedisContext,
  conversationId: string,
  id: string,
): Promise<void> {
  const conversation = aliveConversation(context, await tx.lock(context.keys.conversation(conversationId)))
  const found = conversation && (await findMessage(tx, context, conversationId, id))
  if (!found) throw missing('message')
  await removeAll(tx, context, conversationId, new Map([[id, found.member]]))
  await touchConversation(tx, context, conversation, 1)
  tx.writes.told.push({ type: 'message.deleted', key: [conversationId, id], count: 1 })
}

interface ClearBound {
  readonly beforePosition: number
  readonly beforeInstant: Date
  readonly keepSystem: boolean
}

export async function clear(
  tx: Transaction,
  context: RedisContext,
  id: string,
  { beforePosition, beforeInstant, keepSystem }: ClearBound,
): Promise<number> {
  const { keys, tenantId } = context
  const conversation = aliveConversation(context, await tx.lock(keys.conversation(id)))
  if (!conversation) return 0
  const gone = new Map<string, string>()
  for await (const batch of batches(tx, keys.messages(id)))
    for (const member of batch) {
      const message = readMessage(member, tenantId, id)
      if (message.position < beforePosition && message.createdAt < beforeInstant)
        if (!keepSystem || message.role !== 'system') gone.set(message.id, member)
    }
  if (gone.size === 0) return 0
  await removeAll(tx, context, id, gone)
  await touchConversation(tx, context, conversation, gone.size)
  tx.writes.told.push({ type: 'messages.cleared', key: [id], count: gone.size })
  return gone.size
}
