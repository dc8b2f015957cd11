import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type {
  ConversationListOptions,
  ConversationRepository,
  ReadOptions,
  UpdateOptions,
} from '../../contract/repositories.js'
import type { CheckedConversation } from '../../model/check.js'
import type { ConversationPatch, NewConversation } from '../../model/inputs.js'
import { checkFlag, checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Conversation } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { newConversation } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { checkVersion, checkVersionOption, exists, missing } from '../../repository/refusals.js'
import { checkLanguage } from '../../search/languages.js'
import { newLife, nowOf, type RedisContext } from './context.js'
import { dropConversation } from './conversation-delete.js'
import { enlist, listedConversation, write } from './listings.js'
import { datedMember, idOfDated } from './order.js'
import { encodeRecord, endOf, isOver, type Life, lifeOf, readConversation } from './records.js'
import { newestFirst, scan } from './scan.js'
import type { Fields, Transaction } from './transaction.js'
import { ensureUser } from './users.js'

/** A conversation that is there and has not expired. */
export function aliveConversation(context: RedisContext, fields: Fields): Conversation | null {
  return isOver(lifeOf(fields), context.clock()) ? null : readConversation(fields, context.tenantId)
}

/** Writes a conversation as it is to be, with its counters. */
export function writeConversation(tx: Transaction, context: RedisContext, c: Conversation, life: Life): void {
  const { keys } = context
  const counters = { n: String(c.messageCount), p: String(c.lastPosition), t: String(c.updatedAt.getTime()) }
  write(tx, keys.conversation(c.id), { d: encodeRecord('conversation', c), u: c.userId, ...counters }, life)
  // Messages expire with their conversation.
  tx.writes.expiries.set(keys.messages(c.id), endOf(life))
  enlist(tx, keys, listedConversation(c), life)
}

/** Makes a conversation and, if absent, its user. One that has expired under the same id gives way. */
export async function insertConversation(
  tx: Transaction,
  context: RedisContext,
  input: CheckedConversation & { readonly id: string },
  life: Life = newLife(context, input.expiresAt),
): Promise<Conversation> {
  const { keys, tenantId } = context
  const at = nowOf(context)
  const fields = await tx.lock(keys.conversation(input.id))
  const stored = readConversation(fields, tenantId)
  if (stored && !isOver(lifeOf(fields), at.getTime())) throw exists('conversation')
  if (stored) await dropConversation(tx, context, stored)
  // What Redis took away by itself may have left what outlived it.
  else for (const key of [keys.messages(input.id), keys.links(input.id)]) tx.writes.dropSet(key)
  await ensureUser(tx, context, input.userId)
  const end = endOf(life)
  const conversation = { ...newConversation(context, input), expiresAt: end === null ? null : new Date(end) }
  writeConversation(tx, context, conversation, life)
  tx.writes.told.push({ type: 'conversation.created', key: [conversation.id], count: 1 })
  return conversation
}

export function redisConversations(context: RedisContext): Plain<ConversationRepository> {
  const { runner, tenantId, keys, checks } = context
  const show = (fields: Fields, expired: boolean): Conversation | null =>
    expired ? readConversation(fields, tenantId) : aliveConversation(context, fields)
  return {
    async create(input: NewConversation) {
      const checked = checks.newConversation(input)
      checkLanguage(checked.language)
      const id = checked.id ?? context.newId()
      return runner.write((tx) => insertConversation(tx, context, { ...checked, id }))
    },
    async get(id, options: ReadOptions = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return runner.read(async (tx) => show(await tx.fields(keys.conversation(id)), expired))
    },
    async update(id: string, patch: ConversationPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.conversationPatch(patch)
      checkLanguage(checked.language)
      const version = checkVersionOption(options.version)
      return runner.write(async (tx) => {
        const fields = await tx.lock(keys.conversation(id))
        const stored = aliveConversation(context, fields)
        if (!stored) throw missing('conversation')
        checkVersion('conversation', stored.version, version)
        const before = lifeOf(fields)
        const life = checked.expiresAt === undefined ? before : { ...before, own: checked.expiresAt?.getTime() ?? null }
        const end = endOf(life)
        const expires = { expiresAt: end === null ? null : new Date(end) }
        const conversation = { ...changedRecord(stored, checked, nowOf(context)), ...expires }
        writeConversation(tx, context, conversation, life)
        tx.writes.told.push({ type: 'conversation.updated', key: [id], count: 1 })
        return conversation
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await runner.write(async (tx) => {
        const stored = aliveConversation(context, await tx.lock(keys.conversation(id)))
        if (!stored) throw missing('conversation')
        await dropConversation(tx, context, stored)
        tx.writes.told.push({ type: 'conversation.deleted', key: [id], count: 1 })
      })
    },
    async list(options: ConversationListOptions = {}) {
      checkNames(options, ['before', 'after', 'limit', 'userId', 'includeExpired'])
      const { userId } = options
      if (userId !== undefined) checkId(userId, 'userId')
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const codec = cursors(`conversations:${tenantId}:${userId ?? ''}`, ['number', 'string'])
      const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
      const edge = from && datedMember(new Date(from[0]), from[1])
      const key = userId === undefined ? keys.conversations() : keys.conversations(userId)
      return runner.read(async (tx) => {
        const rows = await scan(tx, { key, ...newestFirst(window, edge) }, async (members) => {
          const all = await tx.manyFields(members.map((member) => keys.conversation(idOfDated(member))))
          return all.map((fields, i) => {
            const found = show(fields, expired)
            // An entry may have outlived its record, under an id that was given again.
            return found && listedConversation(found).member === members[i] && mine(found, userId) ? found : null
          })
        })
        return toPage(rows, window, (c) => codec.encode(c.createdAt.getTime(), c.id))
      })
    },
  }
}

const mine = (record: { readonly userId: string }, userId: string | undefined): boolean =>
  userId === undefined || record.userId === userId
