import type { BranchOptions } from '../../contract/repositories.js'
import { mergeJson } from '../../model/json.js'
import { checkNames } from '../../model/page-options.js'
import type { Conversation } from '../../model/records.js'
import { missing } from '../../repository/refusals.js'
import type { RedisContext } from './context.js'
import { aliveConversation, insertConversation, writeConversation } from './conversations.js'
import { addMessages, type Draft } from './message-append.js'
import { findMessage } from './message-edit.js'
import { lifeOf, readMessage } from './records.js'
import { batches } from './scan.js'
import type { Transaction } from './transaction.js'

export function branchOptions(context: RedisContext, options: BranchOptions) {
  checkNames(options, ['id', 'title', 'operationId'])
  const checked = context.checks.newConversation({ id: options.id, userId: '-', title: options.title })
  return { id: checked.id ?? context.newId(), title: checked.title }
}

/** A new conversation with everything up to and including that message. */
export async function branch(
  tx: Transaction,
  context: RedisContext,
  conversationId: string,
  messageId: string,
  { id, title }: ReturnType<typeof branchOptions>,
): Promise<Conversation> {
  const { keys, tenantId } = context
  const fields = await tx.lock(keys.conversation(conversationId))
  const origin = aliveConversation(context, fields)
  if (!origin) throw missing('conversation')
  const last = await findMessage(tx, context, conversationId, messageId)
  if (!last) throw missing('message')
  const { position } = last.message
  const copies = await copiesOf(tx, context, conversationId, id, position)
  const made = await insertConversation(
    tx,
    context,
    {
      id,
      userId: origin.userId,
      title: title === undefined ? origin.title : title,
      tags: [...origin.tags],
      metadata: mergeJson(origin.metadata, { branchedFrom: { conversationId, messageId } }),
      language: origin.language,
      expiresAt: origin.expiresAt,
    },
    lifeOf(fields),
  )
  addMessages(tx, context, copies)
  const branched = { ...made, messageCount: copies.length, lastPosition: position, tenantId }
  writeConversation(tx, context, branched, lifeOf(fields))
  return branched
}

async function copiesOf(tx: Transaction, { keys, tenantId }: RedisContext, from: string, to: string, end: number) {
  const copies: Draft[] = []
  const ids = new Set<string>()
  for await (const members of batches(tx, keys.messages(from))) {
    for (const member of members) {
      const message = readMessage(member, tenantId, from)
      if (message.position > end) return relinked(copies, ids)
      ids.add(message.id)
      copies.push({ ...message, conversationId: to, version: 1 })
    }
  }
  return relinked(copies, ids)
}

/** A parent behind the cut is not copied: the reply stands without one. */
const relinked = (copies: Draft[], ids: ReadonlySet<string>): Draft[] =>
  copies.map((copy) => (copy.parentId !== null && !ids.has(copy.parentId) ? { ...copy, parentId: null } : copy))
