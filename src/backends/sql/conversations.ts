import { type SQL, sql } from 'drizzle-orm/sql/sql'
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
import { checkLanguage } from '../../search/languages.js'
import { useLanguage } from './analyzer.js'
import { conversationColumns } from './columns.js'
import { alive, checkVersion, checkVersionOption, exists, missing, now, type SqlContext, tenantIs } from './context.js'
import { deleteConversations } from './delete.js'
import { perEngine, type SqlSession } from './engine.js'
import { analyseMessages } from './message-analysis.js'
import { bind, list, value } from './statement.js'
import { ensureUser } from './users.js'
import { assignments, insertInto } from './write.js'

const KEYS = [
  'tenantId',
  'id',
  'userId',
  'title',
  'summary',
  'tags',
  'metadata',
  'language',
  'messageCount',
  'lastPosition',
  'expiresAt',
  'createdAt',
  'updatedAt',
  'version',
  'revision',
] as const
const PATCHED = ['title', 'summary', 'tags', 'metadata', 'language', 'expiresAt', 'updatedAt', 'version'] as const

const statements = perEngine((engine) => {
  const { conversations: t } = engine.tables
  const selection = conversationColumns(engine.tables)
  const one = (includeExpired: boolean): SQL =>
    sql`select ${list(selection)} from ${t} where ${tenantIs(t.tenantId)} and ${t.id} = ${value('id')} and ${alive(t.expiresAt, includeExpired)}`
  const listing = (ofUser: boolean, includeExpired: boolean, cursor: boolean, backward: boolean): SQL => sql`
    select ${list(selection)} from ${t} where ${tenantIs(t.tenantId)}
    ${ofUser ? sql`and ${t.userId} = ${value('userId')}` : sql``}
    ${cursor ? sql`and (${t.createdAt}, ${t.id}) ${sql.raw(backward ? '>' : '<')} (${bind(t.createdAt, 'at')}, ${value('from')})` : sql``}
    and ${alive(t.expiresAt, includeExpired)}
    order by ${t.createdAt} ${sql.raw(backward ? 'asc' : 'desc')}, ${t.id} ${sql.raw(backward ? 'asc' : 'desc')} limit ${value('limit')}`
  const flags = [false, true]
  return {
    insert: engine.command(
      () => sql`${insertInto(engine, 'conversations', KEYS)} on conflict (tenant_id, id) do nothing`,
    ),
    get: engine.statement(selection, () => one(false)),
    getAny: engine.statement(selection, () => one(true)),
    lock: engine.statement(selection, () => sql`${one(false)} ${engine.forUpdate}`),
    update: engine.command(
      () =>
        sql`update ${t} set ${assignments(engine, 'conversations', PATCHED)}, revision = ${engine.revision}
          where ${tenantIs(t.tenantId)} and ${t.id} = ${value('id')}`,
    ),
    /** By whether it is of one user, includes expired ones, starts at a cursor, and reads backward. */
    list: flags.map((ofUser) =>
      flags.map((expired) =>
        flags.map((cursor) =>
          flags.map((backward) => engine.statement(selection, () => listing(ofUser, expired, cursor, backward))),
        ),
      ),
    ),
  }
})

export async function findConversation(
  context: SqlContext,
  session: SqlSession,
  id: string,
): Promise<Conversation | null> {
  const values = { tenantId: context.tenantId, id, now: now(context) }
  return (await session.all(statements(context.engine).get, values))[0] ?? null
}

/** Inserts a conversation and, if absent, its user. One that has expired under the same id gives way. */
export async function insertConversation(
  context: SqlContext,
  session: SqlSession,
  input: CheckedConversation,
): Promise<Conversation> {
  const at = now(context)
  const conversation = newConversation(context, input)
  const { insert, getAny } = statements(context.engine)
  await useLanguage(context, session, conversation.language)
  await ensureUser(context, session, conversation.userId)
  const [stored] = await session.all(getAny, { tenantId: context.tenantId, id: conversation.id })
  if (stored) {
    if (stored.expiresAt === null || stored.expiresAt > at) throw exists('conversation')
    await deleteConversations(context, session, [conversation.id])
  }
  if ((await session.run(insert, { ...conversation })) === 0) throw exists('conversation')
  return conversation
}

export function sqlConversations(context: SqlContext): Plain<ConversationRepository> {
  const { runner, tenantId, engine, checks } = context
  return {
    async create(input: NewConversation) {
      const checked = checks.newConversation(input)
      checkLanguage(checked.language)
      const id = checked.id ?? context.newId()
      return runner.write((session) => insertConversation(context, session, { ...checked, id }))
    },
    async get(id, options: ReadOptions = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const { get, getAny } = statements(engine)
      const statement = checkFlag(options.includeExpired, 'includeExpired') ? getAny : get
      return runner.read(
        async (session) => (await session.all(statement, { tenantId, id, now: now(context) }))[0] ?? null,
      )
    },
    async update(id: string, patch: ConversationPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.conversationPatch(patch)
      checkLanguage(checked.language)
      const version = checkVersionOption(options.version)
      return runner.write(async (session) => {
        const { lock, update } = statements(engine)
        const [stored] = await session.all(lock, { tenantId, id, now: now(context) })
        if (!stored) throw missing('conversation')
        checkVersion('conversation', stored.version, version)
        const conversation = changedRecord(stored, checked, now(context))
        await session.run(update, { ...conversation })
        if (conversation.language !== stored.language) await analyseMessages(context, session, conversation)
        return conversation
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await runner.write(async (session) => {
        if (!(await findConversation(context, session, id))) throw missing('conversation')
        await deleteConversations(context, session, [id])
      })
    },
    async list(options: ConversationListOptions = {}) {
      checkNames(options, ['before', 'after', 'limit', 'userId', 'includeExpired'])
      const { userId } = options
      if (userId !== undefined) checkId(userId, 'userId')
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const codec = cursors(`conversations:${tenantId}:${userId ?? ''}`, ['number', 'string'])
      const [at, from] = window.cursor === null ? [0, ''] : codec.decode(window.cursor, window.field)
      const statement =
        statements(engine).list[+(userId !== undefined)]?.[+expired]?.[+(window.cursor !== null)]?.[+window.backward]
      const values = { tenantId, userId, at: new Date(at), from, now: now(context), limit: window.limit + 1 }
      return runner.read(async (session) => {
        const rows = statement ? await session.all(statement, values) : []
        return toPage<Conversation>(rows, window, (c) => codec.encode(c.createdAt.getTime(), c.id))
      })
    },
  }
}
