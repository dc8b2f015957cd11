import {
  type CheckedConversation,
  changedRecord,
  checkFlag,
  checkId,
  checkLanguage,
  checkNames,
  checkVersion,
  checkVersionOption,
  compareText,
  cursors,
  exists,
  isAlive,
  missing,
  newConversation,
  type Plain,
  pageWindow,
} from '../../../src/backend-kit.js'
import type { Conversation, ConversationRepository } from '../../../src/index.js'
import { type Context, pageOf } from './context.js'
import { deleteConversation } from './delete.js'
import type { Tables } from './tables.js'
import { ensureUser } from './users.js'

export function findConversation(context: Context, tables: Tables, id: string, includeExpired = false) {
  const found = tables.conversations.get(id)
  return found && isAlive(found, context.clock(), includeExpired) ? found : null
}

/** Inserts a conversation and, if absent, its user. One that has expired under the same id gives way. */
export function insertConversation(context: Context, tables: Tables, input: CheckedConversation): Conversation {
  const conversation = newConversation(context, input)
  const { id } = conversation
  if (findConversation(context, tables, id)) throw exists('conversation')
  if (tables.conversations.get(id)) deleteConversation(context, tables, id)
  ensureUser(context, tables, conversation.userId)
  tables.conversations.set(id, conversation)
  return conversation
}

/** Newest first: by (time, id), descending. */
export const newestFirst = ([at, id]: [number, string], [otherAt, otherId]: [number, string]): number =>
  otherAt - at || compareText(otherId, id)

export function conversations(context: Context): Plain<ConversationRepository> {
  const { checks, tenantId } = context
  return {
    async create(input) {
      const checked = checks.newConversation(input)
      checkLanguage(checked.language)
      return context.write((tables) => insertConversation(context, tables, checked))
    },
    async get(id, options = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return context.read((tables) => findConversation(context, tables, id, expired))
    },
    async update(id, patch, options = {}) {
      checkId(id, 'id')
      const checked = checks.conversationPatch(patch)
      checkLanguage(checked.language)
      const version = checkVersionOption(options.version)
      return context.write((tables) => {
        const stored = findConversation(context, tables, id)
        if (!stored) throw missing('conversation')
        checkVersion('conversation', stored.version, version)
        const conversation = changedRecord(stored, checked, context.now())
        tables.conversations.set(id, conversation)
        return conversation
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await context.write((tables) => {
        if (!findConversation(context, tables, id)) throw missing('conversation')
        deleteConversation(context, tables, id)
      })
    },
    async list(options = {}) {
      checkNames(options, ['before', 'after', 'limit', 'userId', 'includeExpired'])
      const { userId } = options
      if (userId !== undefined) checkId(userId, 'userId')
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const listing = {
        codec: cursors(`conversations:${tenantId}:${userId ?? ''}`, ['number', 'string']),
        key: (row: Conversation): [number, string] => [row.createdAt.getTime(), row.id],
        compare: newestFirst,
      }
      return context.read((tables) => {
        const rows = tables.conversations.rows().filter((row) => isAlive(row, context.clock(), expired))
        return pageOf(userId === undefined ? rows : rows.filter((row) => row.userId === userId), window, listing)
      })
    },
  }
}
