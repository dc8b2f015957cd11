import type { Plain } from '../../contract/backend.js'
import type {
  AppendOptions,
  BranchOptions,
  ClearOptions,
  MessageRepository,
  ReadOptions,
  UpdateOptions,
} from '../../contract/repositories.js'
import type { MessagePatch, NewMessage } from '../../model/inputs.js'
import { mergeJson } from '../../model/json.js'
import { checkFlag, checkNames } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Message } from '../../model/records.js'
import { changedMessage } from '../../repository/changed-records.js'
import { clearBound, END, messageCursors, messageWindow } from '../../repository/message-options.js'
import { toPage } from '../../repository/paging.js'
import { messageText } from '../../search/fields.js'
import { useLanguage } from './analyzer.js'
import { checkVersion, checkVersionOption, missing, now, type SqlContext } from './context.js'
import { insertConversation } from './conversations.js'
import { append, drafts, toMessage, upsertMessages } from './message-append.js'
import { messageStatements } from './message-statements.js'

export function sqlMessages(context: SqlContext): Plain<MessageRepository> {
  const { runner, tenantId, engine, checks } = context
  const s = messageStatements(engine)
  const prepare = (conversationId: string, input: NewMessage | readonly NewMessage[], options: AppendOptions) => {
    checkId(conversationId, 'conversationId')
    checkNames(options, ['userId', 'operationId'])
    if (options.userId !== undefined) checkId(options.userId, 'userId')
    return drafts(context, conversationId, checks.newMessages(input))
  }
  return {
    async append(conversationId, input, options = {}) {
      const batch = prepare(conversationId, input, options)
      if (batch.length === 0) return []
      await append(context, conversationId, batch, options.userId)
      return batch.map(toMessage)
    },
    async upsert(conversationId, input, options = {}) {
      const batch = prepare(conversationId, input, options)
      if (batch.length === 0) return []
      const { userId } = options
      return runner.write((session) => upsertMessages(context, session, conversationId, batch, { userId }))
    },
    async get(conversationId: string, id: string, options: ReadOptions = {}) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const statement = checkFlag(options.includeExpired, 'includeExpired') ? s.getAny : s.get
      const values = { tenantId, conversationId, id, now: now(context) }
      return runner.read(async (session) => (await session.all(statement, values))[0] ?? null)
    },
    async list(conversationId, options = {}) {
      checkId(conversationId, 'conversationId')
      const window = messageWindow(options)
      const codec = messageCursors(tenantId, conversationId)
      const [from] = window.cursor === null ? [window.backward ? END : 0] : codec.decode(window.cursor, window.field)
      const statement = s.list[+window.backward]?.[+(window.roles !== undefined)]?.[+window.expired]
      const roles = window.roles && engine.conditions.texts(window.roles)
      const values = { tenantId, conversationId, from, roles, now: now(context), limit: window.limit + 1 }
      return runner.read(async (session) => {
        const rows = statement ? await session.all(statement, values) : []
        return toPage<Message>(rows, window, (m) => codec.encode(m.position))
      })
    },
    async update(conversationId: string, id: string, patch: MessagePatch, options: UpdateOptions = {}) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      const checked = checks.messagePatch(patch)
      const version = checkVersionOption(options.version)
      return runner.write(async (session) => {
        // The conversation first, as every other verb does: two that wait for each other would fail.
        const [conversation] = await session.all(s.lockConversation, { tenantId, conversationId, now: now(context) })
        const [stored] = await session.all(s.lock, { tenantId, conversationId, id, now: now(context) })
        if (!stored) throw missing('message')
        checkVersion('message', stored.version, version)
        const merged = changedMessage(stored, checked, now(context))
        const analyzer = await useLanguage(context, session, conversation?.language ?? null)
        await session.run(s.update, { ...merged, searchText: messageText(analyzer, tenantId, merged) })
        return merged
      })
    },
    async delete(conversationId, id) {
      checkId(conversationId, 'conversationId')
      checkId(id, 'id')
      await runner.write(async (session) => {
        const values = { tenantId, conversationId, id, now: now(context), n: 1 }
        await session.all(s.lockConversation, values)
        const [stored] = await session.all(s.lock, values)
        if (!stored) throw missing('message')
        await session.run(s.orphan, values)
        await session.run(s.delete, values)
        await session.run(s.shrink, values)
      })
    },
    async clear(conversationId: string, options: ClearOptions = {}) {
      checkId(conversationId, 'conversationId')
      const bound = clearBound(options, tenantId, conversationId)
      const keepSystem = options.keepSystem === undefined || checkFlag(options.keepSystem, 'keepSystem')
      const [remove, orphan] = [s.clear[+keepSystem], s.orphanCleared[+keepSystem]]
      return runner.write(async (session) => {
        const values = { tenantId, conversationId, now: now(context), ...bound }
        const [stored] = await session.all(s.lockConversation, values)
        if (!stored || !remove || !orphan) return 0
        await session.run(orphan, values)
        const n = await session.run(remove, values)
        if (n > 0) await session.run(s.shrink, { ...values, n })
        return n
      })
    },
    async branch(conversationId: string, messageId: string, options: BranchOptions = {}) {
      checkId(conversationId, 'conversationId')
      checkId(messageId, 'messageId')
      const { id, title } = branchOptions(context, options)
      return runner.write(async (session) => {
        const values = { tenantId, conversationId, id: messageId, now: now(context) }
        const [origin] = await session.all(s.lockConversation, values)
        if (!origin) throw missing('conversation')
        const [last] = await session.all(s.get, values)
        if (!last) throw missing('message')
        const { position } = last
        const made = await insertConversation(context, session, {
          id,
          userId: origin.userId,
          title: title === undefined ? origin.title : title,
          tags: [...origin.tags],
          metadata: mergeJson(origin.metadata, { branchedFrom: { conversationId, messageId } }),
          language: origin.language,
          expiresAt: origin.expiresAt,
        })
        const n = await engine.insertSelect(session, 'messages', s.copy, { ...values, newId: id, position })
        await session.run(s.settleBranch, { tenantId, conversationId: id, n, position })
        return { ...made, messageCount: n, lastPosition: position }
      })
    },
    async turnCount(conversationId) {
      checkId(conversationId, 'conversationId')
      const values = { tenantId, conversationId, now: now(context) }
      return runner.read(async (session) => (await session.all(s.turns, values))[0]?.n ?? 0)
    },
  }
}

function branchOptions(context: SqlContext, options: BranchOptions) {
  checkNames(options, ['id', 'title', 'operationId'])
  const checked = context.checks.newConversation({ id: options.id, userId: '-', title: options.title })
  return { id: checked.id ?? context.newId(), title: checked.title }
}
