import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type { ReadOptions, SessionListOptions, SessionRepository, UpdateOptions } from '../../contract/repositories.js'
import type { NewSession, SessionPatch } from '../../model/inputs.js'
import { checkFlag, checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Session } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { newSession } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { sessionColumns } from './columns.js'
import { alive, checkVersion, checkVersionOption, exists, missing, now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { bind, list, value } from './statement.js'
import { ensureUser } from './users.js'
import { assignments, insertInto } from './write.js'

const KEYS = [
  'tenantId',
  'id',
  'userId',
  'conversationId',
  'state',
  'metadata',
  'startedAt',
  'lastActivityAt',
  'endedAt',
  'expiresAt',
  'createdAt',
  'updatedAt',
  'version',
  'revision',
] as const
const PATCHED = [
  'conversationId',
  'state',
  'metadata',
  'lastActivityAt',
  'endedAt',
  'expiresAt',
  'updatedAt',
  'version',
] as const

const statements = perEngine((engine) => {
  const { sessions: t } = engine.tables
  const selection = sessionColumns(engine.tables)
  const one = sql`${tenantIs(t.tenantId)} and ${t.id} = ${value('id')}`
  const get = (expired: boolean): SQL =>
    sql`select ${list(selection)} from ${t} where ${one} and ${alive(t.expiresAt, expired)}`
  const listing = (ofUser: boolean, active: boolean, expired: boolean, cursor: boolean, backward: boolean): SQL => sql`
    select ${list(selection)} from ${t} where ${tenantIs(t.tenantId)}
    ${ofUser ? sql`and ${t.userId} = ${value('userId')}` : sql``}
    ${cursor ? sql`and (${t.startedAt}, ${t.id}) ${sql.raw(backward ? '>' : '<')} (${bind(t.startedAt, 'at')}, ${value('from')})` : sql``}
    ${active ? sql`and ${t.endedAt} is null` : sql``} and ${alive(t.expiresAt, expired && !active)}
    order by ${t.startedAt} ${sql.raw(backward ? 'asc' : 'desc')}, ${t.id} ${sql.raw(backward ? 'asc' : 'desc')} limit ${value('limit')}`
  const variants = new Map<string, ReturnType<typeof engine.statement<typeof selection>>>()
  return {
    insert: engine.command(() => sql`${insertInto(engine, 'sessions', KEYS)} on conflict (tenant_id, id) do nothing`),
    get: engine.statement(selection, () => get(false)),
    getAny: engine.statement(selection, () => get(true)),
    lock: engine.statement(selection, () => sql`${get(false)} ${engine.forUpdate}`),
    update: engine.command(
      () =>
        sql`update ${t} set ${assignments(engine, 'sessions', PATCHED)}, revision = ${engine.revision} where ${one}`,
    ),
    delete: engine.command(() => sql`delete from ${t} where ${one}`),
    list(...flags: [ofUser: boolean, active: boolean, expired: boolean, cursor: boolean, backward: boolean]) {
      const name = flags.map(Number).join('')
      const made = variants.get(name) ?? engine.statement(selection, () => listing(...flags))
      variants.set(name, made)
      return made
    },
  }
})

export function sqlSessions(context: SqlContext): Plain<SessionRepository> {
  const { runner, tenantId, engine, checks } = context
  const s = statements(engine)
  // Another process must see at once that a session ended.
  const read = runner.current ?? runner.read
  const change = (id: string, work: (stored: Session, at: Date) => Session | null): Promise<Session> =>
    runner.write(async (session) => {
      const at = now(context)
      const [stored] = await session.all(s.lock, { tenantId, id, now: at })
      if (!stored) throw missing('session')
      const changed = work(stored, at)
      if (changed) await session.run(s.update, { ...changed })
      return changed ?? stored
    })
  /** A session that has expired under the same id gives way. */
  const giveWay = async (session: SqlSession, id: string): Promise<void> => {
    const [stored] = await session.all(s.getAny, { tenantId, id })
    if (stored?.expiresAt && stored.expiresAt <= now(context)) await session.run(s.delete, { tenantId, id })
  }
  return {
    async create(input: NewSession) {
      const made = newSession(context, checks.newSession(input))
      return runner.write(async (session) => {
        await ensureUser(context, session, made.userId)
        await giveWay(session, made.id)
        if ((await session.run(s.insert, { ...made })) === 0) throw exists('session')
        return made
      })
    },
    async get(id: string, options: ReadOptions = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const statement = checkFlag(options.includeExpired, 'includeExpired') ? s.getAny : s.get
      return read(async (session) => (await session.all(statement, { tenantId, id, now: now(context) }))[0] ?? null)
    },
    async update(id: string, patch: SessionPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.sessionPatch(patch)
      const version = checkVersionOption(options.version)
      return change(id, (stored, at) => {
        checkVersion('session', stored.version, version)
        return { ...changedRecord(stored, checked, at), lastActivityAt: at }
      })
    },
    async touch(id: string) {
      checkId(id, 'id')
      return change(id, (stored, at) => ({ ...stored, lastActivityAt: at }))
    },
    async end(id: string) {
      checkId(id, 'id')
      return change(id, (stored, at) =>
        stored.endedAt
          ? null
          : { ...stored, endedAt: at, lastActivityAt: at, updatedAt: at, version: stored.version + 1 },
      )
    },
    async delete(id: string) {
      checkId(id, 'id')
      await runner.write(async (session) => {
        const [stored] = await session.all(s.lock, { tenantId, id, now: now(context) })
        if (!stored) throw missing('session')
        await session.run(s.delete, { tenantId, id })
      })
    },
    async latest(userId: string) {
      checkId(userId, 'userId')
      const statement = s.list(true, true, false, false, false)
      const values = { tenantId, userId, now: now(context), limit: 1 }
      return read(async (session) => (await session.all(statement, values))[0] ?? null)
    },
    async list(options: SessionListOptions = {}) {
      checkNames(options, ['before', 'after', 'limit', 'userId', 'active', 'includeExpired'])
      const { userId } = options
      if (userId !== undefined) checkId(userId, 'userId')
      const active = checkFlag(options.active, 'active')
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const codec = cursors(`sessions:${tenantId}:${userId ?? ''}`, ['number', 'string'])
      const [at, from] = window.cursor === null ? [0, ''] : codec.decode(window.cursor, window.field)
      const statement = s.list(userId !== undefined, active, expired, window.cursor !== null, window.backward)
      const values = { tenantId, userId, at: new Date(at), from, now: now(context), limit: window.limit + 1 }
      return read(async (session) =>
        toPage<Session>(await session.all(statement, values), window, (row) =>
          codec.encode(row.startedAt.getTime(), row.id),
        ),
      )
    },
  }
}
