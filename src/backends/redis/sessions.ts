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
import { checkVersion, checkVersionOption, exists, missing } from '../../repository/refusals.js'
import { newLife, nowOf, type RedisContext, slid } from './context.js'
import { dropNamed } from './conversation-delete.js'
import { enlist, link, listedSession, unlink, write } from './listings.js'
import { named } from './named.js'
import { datedMember, idOfDated } from './order.js'
import { encodeRecord, endOf, isOver, type Life, lifeOf, readSession } from './records.js'
import { scan } from './scan.js'
import type { Fields, Transaction } from './transaction.js'
import { ensureUser } from './users.js'

type Change = (stored: Session, at: Date) => Session | null

/** What a session is changed to, with the end that it has then. */
export function putSession(tx: Transaction, { keys }: RedisContext, session: Session, life: Life): Session {
  const end = endOf(life)
  const stored = { ...session, expiresAt: end === null ? null : new Date(end) }
  write(tx, keys.session(session.id), { d: encodeRecord('session', stored) }, life)
  enlist(tx, keys, listedSession(stored), life)
  link(tx, keys, stored.conversationId, listedSession(stored), life)
  return stored
}

export function redisSessions(context: RedisContext): Plain<SessionRepository> {
  const { runner, tenantId, keys, checks } = context
  const show = (fields: Fields, expired: boolean): Session | null =>
    !expired && isOver(lifeOf(fields), context.clock()) ? null : readSession(fields, tenantId)
  const change = (id: string, type: string | null, own: Date | null | undefined, work: Change): Promise<Session> =>
    runner.write(async (tx) => {
      const at = nowOf(context)
      const fields = await tx.lock(keys.session(id))
      const stored = show(fields, false)
      if (!stored) throw missing('session')
      const changed = work(stored, at)
      if (!changed) return stored
      const before = slid(context, lifeOf(fields))
      const life = own === undefined ? before : { ...before, own: own?.getTime() ?? null }
      if (changed.conversationId !== stored.conversationId) {
        unlink(tx, keys, stored.conversationId, listedSession(stored))
        await named(tx, context, changed.conversationId)
      }
      if (type) tx.writes.told.push({ type, key: [id], count: 1 })
      return putSession(tx, context, changed, life)
    })
  const find = (options: SessionListOptions, limit: number, reverse: boolean, edge: string | null) => {
    const { userId } = options
    const key = userId === undefined ? keys.sessions() : keys.sessions(userId)
    const expired = options.includeExpired === true && !options.active
    return runner.read((tx) =>
      scan(tx, { key, limit, reverse, edge }, async (members) => {
        const all = await tx.manyFields(members.map((member) => keys.session(idOfDated(member))))
        return all.map((fields, i) => {
          const found = show(fields, expired)
          if (!found || listedSession(found).member !== members[i]) return null
          return (options.active && found.endedAt) || (userId !== undefined && found.userId !== userId) ? null : found
        })
      }),
    )
  }
  return {
    async create(input: NewSession) {
      const checked = checks.newSession(input)
      const made = newSession(context, checked)
      return runner.write(async (tx) => {
        const fields = await tx.lock(keys.session(made.id))
        if (show(fields, false)) throw exists('session')
        await dropNamed(tx, context, 'session', made.id)
        await ensureUser(tx, context, made.userId)
        await named(tx, context, made.conversationId)
        tx.writes.told.push({ type: 'session.created', key: [made.id], count: 1 })
        return putSession(tx, context, made, newLife(context, checked.expiresAt))
      })
    },
    async get(id: string, options: ReadOptions = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return runner.read(async (tx) => show(await tx.fields(keys.session(id)), expired))
    },
    async update(id: string, patch: SessionPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.sessionPatch(patch)
      const version = checkVersionOption(options.version)
      return change(id, 'session.updated', checked.expiresAt, (stored, at) => {
        checkVersion('session', stored.version, version)
        return { ...changedRecord(stored, checked, at), lastActivityAt: at }
      })
    },
    async touch(id: string) {
      checkId(id, 'id')
      return change(id, null, undefined, (stored, at) => ({ ...stored, lastActivityAt: at }))
    },
    async end(id: string) {
      checkId(id, 'id')
      return change(id, 'session.ended', undefined, (stored, at) =>
        stored.endedAt
          ? null
          : { ...stored, endedAt: at, lastActivityAt: at, updatedAt: at, version: stored.version + 1 },
      )
    },
    async delete(id: string) {
      checkId(id, 'id')
      await runner.write(async (tx) => {
        if (!show(await tx.lock(keys.session(id)), false)) throw missing('session')
        await dropNamed(tx, context, 'session', id)
        tx.writes.told.push({ type: 'session.deleted', key: [id], count: 1 })
      })
    },
    async latest(userId: string) {
      checkId(userId, 'userId')
      return (await find({ userId, active: true }, 1, true, null))[0] ?? null
    },
    async list(options: SessionListOptions = {}) {
      checkNames(options, ['before', 'after', 'limit', 'userId', 'active', 'includeExpired'])
      const { userId } = options
      if (userId !== undefined) checkId(userId, 'userId')
      checkFlag(options.active, 'active')
      checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const codec = cursors(`sessions:${tenantId}:${userId ?? ''}`, ['number', 'string'])
      const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
      const edge = from && datedMember(new Date(from[0]), from[1])
      const rows = await find({ ...options }, window.limit, !window.backward, edge)
      return toPage(rows, window, (row) => codec.encode(row.startedAt.getTime(), row.id))
    },
  }
}
