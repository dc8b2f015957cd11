import {
  changedMessage,
  checkFlag,
  checkId,
  checkNames,
  checkVersion,
  checkVersionOption,
  clearBound,
  messageCursors,
  messageWindow,
  missing,
  type Plain,
} from '../../../src/backend-kit.js'
import type { AppendOptions, Conversation, Message, MessageRepository, NewMessage } from '../../../src/index.js'
import { append, drafts, upsert } from './append.js'
import { branch } from './branch.js'
import { type Context, pageOf, refuseVectors } from './context.js'
import { findConversation } from './conversations.js'
import { messageKey, type Tables } from './tables.js'

/** Of one conversation, in their order; none where it has expired. */
export function messagesOf(context: Context, tables: Tables, conversationId: string, expired = false): Message[] {
  if (!findConversation(context, tables, conversationId, expired)) return []
  const all = tables.messages.rows().filter((message) => message.conversationId === conversationId)
  return all.sort((a, b) => a.position - b.position)
}

/** Deletes messages of a conversation; replies to them stay, without a parent. */
function remove(context: Context, tables: Tables, conversation: Conversation, gone: ReadonlySet<string>): number {
  const updatedAt = context.now()
  for (const message of messagesOf(context, tables, conversation.id)) {
    const key = messageKey(conversation.id, message.id)
    if (gone.has(message.id)) tables.messages.delete(key)
    else if (message.parentId !== null && gone.has(message.parentId))
      tables.messages.set(key, { ...message, parentId: null, updatedAt, version: message.version + 1 })
  }
  const messageCount = conversation.messageCount - gone.size
  tables.conversations.set(conversation.id, { ...conversation, messageCount, updatedAt })
  return gone.size
}

function prepare(
  context: Context,
  conversationId: string,
  input: NewMessage | readonly NewMessage[],
  options: AppendOptions,
): Message[] {
  checkId(conversationId, 'conversationId')
  checkNames(options, ['userId', 'operationId'])
  if (options.userId !== undefined) checkId(options.userId, 'userId')
  const checked = context.checks.newMessages(input)
  refuseVectors(checked)
  return drafts(context, conversationId, checked)
}

function reading(context: Context): Pick<MessageRepository, 'get' | 'list' | 'turnCount'> {
  return {
    async get(conversationId, id, options = {}) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return context.read((tables) =>
        findConversation(context, tables, conversationId, expired)
          ? (tables.messages.get(messageKey(conversationId, id)) ?? null)
          : null,
      )
    },
    async list(conversationId, options = {}) {
      checkId(conversationId, 'conversationId')
      const { roles, expired, ...window } = messageWindow(options)
      return context.read((tables) => {
        const all = messagesOf(context, tables, conversationId, expired)
        return pageOf(roles ? all.filter(({ role }) => roles.includes(role)) : all, window, {
          codec: messageCursors(context.tenantId, conversationId),
          key: ({ position }): [number] => [position],
          compare: ([a]: [number], [b]: [number]) => a - b,
        })
      })
    },
    async turnCount(conversationId) {
      checkId(conversationId, 'conversationId')
      return context.read((tables) => {
        const told = messagesOf(context, tables, conversationId).filter(({ role }) => /^(user|assistant)$/.test(role))
        return told.filter(({ role }, i) => role === 'assistant' && told[i - 1]?.role === 'user').length
      })
    },
  }
}

function removing(context: Context): Pick<MessageRepository, 'delete' | 'clear'> {
  return {
    async delete(conversationId, id) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      await context.write((tables) => {
        const conversation = findConversation(context, tables, conversationId)
        if (!conversation || !tables.messages.get(messageKey(conversationId, id))) throw missing('message')
        remove(context, tables, conversation, new Set([id]))
      })
    },
    async clear(conversationId, options = {}) {
      checkId(conversationId, 'conversationId')
      const { beforePosition, beforeInstant } = clearBound(options, context.tenantId, conversationId)
      const keepSystem = options.keepSystem === undefined || checkFlag(options.keepSystem, 'keepSystem')
      return context.write((tables) => {
        const conversation = findConversation(context, tables, conversationId)
        if (!conversation) return 0
        const gone = messagesOf(context, tables, conversationId).filter(
          ({ position, createdAt, role }) =>
            position < beforePosition && createdAt < beforeInstant && !(keepSystem && role === 'system'),
        )
        return gone.length === 0 ? 0 : remove(context, tables, conversation, new Set(gone.map(({ id }) => id)))
      })
    },
  }
}

export function messages(context: Context): Plain<MessageRepository> {
  return {
    ...reading(context),
    ...removing(context),
    branch: branch(context),
    async append(conversationId, input, options = {}) {
      const batch = prepare(context, conversationId, input, options)
      const { userId } = options
      if (batch.length === 0) return []
      return context.write((tables) => append(context, tables, conversationId, batch, userId))
    },
    async upsert(conversationId, input, options = {}) {
      const batch = prepare(context, conversationId, input, options)
      const { userId } = options
      if (batch.length === 0) return []
      return context.write((tables) => upsert(context, tables, conversationId, batch, userId))
    },
    async update(conversationId, id, patch, options = {}) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      const checked = context.checks.messagePatch(patch)
      const version = checkVersionOption(options.version)
      return context.write((tables) => {
        const key = messageKey(conversationId, id)
        const stored = findConversation(context, tables, conversationId) ? tables.messages.get(key) : null
        if (!stored) throw missing('message')
        checkVersion('message', stored.version, version)
        const changed = changedMessage(stored, checked, context.now())
        tables.messages.set(key, changed)
        return changed
      })
    },
  }
}
