import { type CheckedMessage, exists, missing, newMessage } from '../../../src/backend-kit.js'
import { type Conversation, type Message, ValidationError } from '../../../src/index.js'
import type { Context } from './context.js'
import { findConversation, insertConversation } from './conversations.js'
import { messageKey, type Tables } from './tables.js'

export function drafts(context: Context, conversationId: string, inputs: readonly CheckedMessage[]): Message[] {
  return inputs.map((input) => newMessage(context, conversationId, input))
}

/** The conversation to write into, made if it is absent and somebody is named whose it will be. */
function conversationFor(context: Context, tables: Tables, id: string, userId: string | undefined): Conversation {
  const found = findConversation(context, tables, id)
  if (!found && userId !== undefined) return insertConversation(context, tables, { id, userId })
  if (!found || (userId !== undefined && found.userId !== userId)) throw missing('conversation')
  return found
}

/** A parent must be a message of the same conversation, or stand earlier in the same batch. */
function checkParents(tables: Tables, batch: readonly Message[], given: readonly Message[]): void {
  const earlier = new Set<string>()
  for (const message of batch) {
    const { id, parentId, conversationId } = message
    const known =
      parentId === null || earlier.has(parentId) || tables.messages.get(messageKey(conversationId, parentId))
    if (!known || parentId === id)
      throw new ValidationError(`messages[${given.indexOf(message)}].parentId`, 'names no message of this conversation')
    earlier.add(id)
  }
}

/** Gives new messages the next positions. */
function place(context: Context, tables: Tables, conversation: Conversation, batch: readonly Message[]): Message[] {
  const { lastPosition, messageCount } = conversation
  const placed = batch.map((message, i) => ({ ...message, position: lastPosition + i + 1 }))
  for (const message of placed) {
    const key = messageKey(message.conversationId, message.id)
    if (tables.messages.get(key)) throw exists('message')
    tables.messages.set(key, message)
  }
  tables.conversations.set(conversation.id, {
    ...conversation,
    lastPosition: lastPosition + batch.length,
    messageCount: messageCount + batch.length,
    updatedAt: context.now(),
  })
  return placed
}

export function append(
  context: Context,
  tables: Tables,
  conversationId: string,
  batch: readonly Message[],
  userId: string | undefined,
): Message[] {
  const conversation = conversationFor(context, tables, conversationId, userId)
  checkParents(tables, batch, batch)
  return place(context, tables, conversation, batch)
}

/** Replaces messages whose id exists, in their place, and appends the others. Of one id given twice the last counts. */
export function upsert(
  context: Context,
  tables: Tables,
  conversationId: string,
  batch: readonly Message[],
  userId: string | undefined,
): Message[] {
  const conversation = conversationFor(context, tables, conversationId, userId)
  const unique = [...new Map(batch.map((message) => [message.id, message])).values()]
  checkParents(tables, unique, batch)
  const before = ({ id }: Message) => tables.messages.get(messageKey(conversationId, id))
  const replaced = unique.flatMap((message) => {
    const stored = before(message)
    if (!stored) return []
    const { position, createdAt, version } = stored
    return [{ ...message, position, createdAt, updatedAt: context.now(), version: version + 1 }]
  })
  const added = place(
    context,
    tables,
    conversation,
    unique.filter((message) => !before(message)),
  )
  for (const message of replaced) tables.messages.set(messageKey(conversationId, message.id), message)
  const stored = new Map([...added, ...replaced].map((message) => [message.id, message]))
  return unique.map(({ id }) => stored.get(id) as Message)
}
