import { checkId, checkNames, mergeJson, missing } from '../../../src/backend-kit.js'
import type { MessageRepository } from '../../../src/index.js'
import type { Context } from './context.js'
import { findConversation, insertConversation } from './conversations.js'
import { messagesOf } from './messages.js'
import { messageKey } from './tables.js'

/** A new conversation with everything up to and including a message. A parent behind the cut is not copied. */
export function branch(context: Context): MessageRepository['branch'] {
  return async (conversationId, messageId, options = {}) => {
    checkId(conversationId, 'conversationId')
    checkId(messageId, 'messageId')
    checkNames(options, ['id', 'title', 'operationId'])
    const { id, title } = context.checks.newConversation({ id: options.id, userId: '-', title: options.title })
    return context.write((tables) => {
      const origin = findConversation(context, tables, conversationId)
      if (!origin) throw missing('conversation')
      const all = messagesOf(context, tables, conversationId)
      const last = all.find((message) => message.id === messageId)
      if (!last) throw missing('message')
      const copied = all.filter(({ position }) => position <= last.position)
      const made = insertConversation(context, tables, {
        id: id ?? context.newId(),
        userId: origin.userId,
        title: title === undefined ? origin.title : title,
        tags: [...origin.tags],
        metadata: mergeJson(origin.metadata, { branchedFrom: { conversationId, messageId } }),
        language: origin.language,
        expiresAt: origin.expiresAt,
      })
      for (const message of copied) {
        const parentId = copied.some((other) => other.id === message.parentId) ? message.parentId : null
        const copy = { ...message, conversationId: made.id, parentId, version: 1 }
        tables.messages.set(messageKey(made.id, message.id), copy)
      }
      const conversation = { ...made, messageCount: copied.length, lastPosition: last.position }
      tables.conversations.set(made.id, conversation)
      return conversation
    })
  }
}
