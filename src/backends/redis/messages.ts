import type { Plain } from '../../contract/backend.js'
import type {
  AppendOptions,
  BranchOptions,
  ClearOptions,
  MessageListOptions,
  MessageRepository,
  ReadOptions,
  UpdateOptions,
} from '../../contract/repositories.js'
import type { MessagePatch, NewMessage } from '../../model/inputs.js'
import { checkFlag, checkNames } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Message } from '../../model/records.js'
import { changedMessage } from '../../repository/changed-records.js'
import { clearBound, messageCursors, messageWindow } from '../../repository/message-options.js'
import { toPage } from '../../repository/paging.js'
import { checkVersion, checkVersionOption, missing } from '../../repository/refusals.js'
import { branch, branchOptions } from './branch.js'
import { nowOf, type RedisContext } from './context.js'
import { aliveConversation } from './conversations.js'
import { append, drafts } from './message-append.js'
import { clear, deleteMessage, findMessage, replaceMessage } from './message-edit.js'
import { behind, FIRST, LAST, positionKey } from './order.js'
import { isOver, lifeOf, readMessage } from './records.js'
import { batches } from './scan.js'
import type { Fields, Transaction } from './transaction.js'
import { upsertMessages } from './upsert.js'

type Listing = ReturnType<typeof messageWindow>

/** Reads in the window's direction until it has one message more than it wants. */
async function read(tx: Transaction, context: RedisContext, id: string, window: Listing, from: number | null) {
  const { keys, tenantId } = context
  const found: Message[] = []
  let edge = from
  for (let size = window.limit + 1; ; size = Math.min(size * 2, 1000)) {
    const range = window.backward
      ? { min: FIRST, max: edge === null ? LAST : `(${positionKey(edge)}` }
      : { min: edge === null ? FIRST : behind(positionKey(edge)), max: LAST }
    const members = await tx.range(keys.messages(id), { ...range, limit: size, reverse: window.backward })
    for (const member of members) {
      const message = readMessage(member, tenantId, id)
      edge = message.position
      if (window.roles && !window.roles.includes(message.role)) continue
      if (found.push(message) > window.limit) return found
    }
    if (members.length < size) return found
  }
}

export function redisMessages(context: RedisContext): Plain<MessageRepository> {
  const { runner, tenantId, keys, checks } = context
  const prepare = (conversationId: string, input: NewMessage | readonly NewMessage[], options: AppendOptions) => {
    checkId(conversationId, 'conversationId')
    checkNames(options, ['userId', 'operationId'])
    if (options.userId !== undefined) checkId(options.userId, 'userId')
    return drafts(context, conversationId, checks.newMessages(input))
  }
  /** Whether messages of the conversation show: they expire with it. */
  const shows = (fields: Fields, expired: boolean): boolean =>
    fields.d !== null && (expired || !isOver(lifeOf(fields), context.clock()))
  return {
    async append(conversationId, input, options = {}) {
      const batch = prepare(conversationId, input, options)
      if (batch.length > 0) await append(context, conversationId, batch, options)
      return batch
    },
    async upsert(conversationId, input, options = {}) {
      const batch = prepare(conversationId, input, options)
      if (batch.length === 0) return []
      return runner.write((tx) => upsertMessages(tx, context, conversationId, batch, options.userId))
    },
    async get(conversationId: string, id: string, options: ReadOptions = {}) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return runner.read(async (tx) => {
        const [fields, found] = await Promise.all([
          tx.fields(keys.conversation(conversationId)),
          findMessage(tx, context, conversationId, id),
        ])
        return shows(fields, expired) ? (found?.message ?? null) : null
      })
    },
    async list(conversationId: string, options: MessageListOptions = {}) {
      checkId(conversationId, 'conversationId')
      const window = messageWindow(options)
      const codec = messageCursors(tenantId, conversationId)
      const [from] = window.cursor === null ? [null] : codec.decode(window.cursor, window.field)
      return runner.read(async (tx) => {
        // Asked for together: one round trip.
        const [fields, rows] = await Promise.all([
          tx.fields(keys.conversation(conversationId)),
          read(tx, context, conversationId, window, from),
        ])
        return toPage(shows(fields, window.expired) ? rows : [], window, (m) => codec.encode(m.position))
      })
    },
    async update(conversationId: string, id: string, patch: MessagePatch, options: UpdateOptions = {}) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      const checked = checks.messagePatch(patch)
      const version = checkVersionOption(options.version)
      return runner.write(async (tx) => {
        const conversation = aliveConversation(context, await tx.lock(keys.conversation(conversationId)))
        const found = conversation && (await findMessage(tx, context, conversationId, id))
        if (!found) throw missing('message')
        checkVersion('message', found.message.version, version)
        const merged = changedMessage(found.message, checked, nowOf(context))
        replaceMessage(tx, context, found, merged, conversation)
        tx.writes.told.push({ type: 'message.updated', key: [conversationId, id], count: 1 })
        return merged
      })
    },
    async delete(conversationId, id) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      await runner.write((tx) => deleteMessage(tx, context, conversationId, id))
    },
    async clear(conversationId: string, options: ClearOptions = {}) {
      checkId(conversationId, 'conversationId')
      const bound = clearBound(options, tenantId, conversationId)
      const keepSystem = options.keepSystem === undefined || checkFlag(options.keepSystem, 'keepSystem')
      return runner.write((tx) => clear(tx, context, conversationId, { ...bound, keepSystem }))
    },
    async branch(conversationId: string, messageId: string, options: BranchOptions = {}) {
      checkId(conversationId, 'conversationId')
      checkId(messageId, 'messageId')
      const checked = branchOptions(context, options)
      return runner.write((tx) => branch(tx, context, conversationId, messageId, checked))
    },
    async turnCount(conversationId) {
      checkId(conversationId, 'conversationId')
      return runner.read(async (tx) => {
        if (!shows(await tx.fields(keys.conversation(conversationId)), false)) return 0
        let turns = 0
        let previous = ''
        for await (const members of batches(tx, keys.messages(conversationId)))
          for (const member of members) {
            const { role } = readMessage(member, tenantId, conversationId)
            if (role !== 'user' && role !== 'assistant') continue
            if (role === 'assistant' && previous === 'user') turns++
            previous = role
          }
        return turns
      })
    },
  }
}
