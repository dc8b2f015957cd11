import {
  changedRecord,
  checkFlag,
  checkId,
  checkNames,
  checkVersion,
  checkVersionOption,
  cursors,
  exists,
  isAlive,
  missing,
  newSession,
  type Plain,
  pageWindow,
} from '../../../src/backend-kit.js'
import type { Session, SessionRepository } from '../../../src/index.js'
import { type Context, pageOf } from './context.js'
import { newestFirst } from './conversations.js'
import type { Tables } from './tables.js'
import { ensureUser } from './users.js'

const isActive = (session: Session, now: number): boolean => session.endedAt === null && isAlive(session, now)
const keyOf = (row: Session): [number, string] => [row.startedAt.getTime(), row.id]

export function sessions(context: Context): Plain<SessionRepository> {
  const { tenantId } = context
  const find = (tables: Tables, id: string, expired = false): Session | null => {
    const found = tables.sessions.get(id)
    return found && isAlive(found, context.clock(), expired) ? found : null
  }
  const change = (id: string, work: (stored: Session, at: Date) => object): Promise<Session> => {
    checkId(id, 'id')
    return context.write((tables) => {
      const stored = find(tables, id)
      if (!stored) throw missing('session')
      const changed = { ...stored, ...work(stored, context.now()) }
      tables.sessions.set(id, changed)
      return changed
    })
  }
  return {
    async create(input) {
      const made = newSession(context, context.checks.newSession(input))
      return context.write((tables) => {
        if (find(tables, made.id)) throw exists('session')
        ensureUser(context, tables, made.userId)
        tables.sessions.set(made.id, made)
        return made
      })
    },
    async get(id, options = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return context.read((tables) => find(tables, id, expired))
    },
    async update(id, patch, options = {}) {
      checkId(id, 'id')
      const checked = context.checks.sessionPatch(patch)
      const version = checkVersionOption(options.version)
      return change(id, (stored, at) => {
        checkVersion('session', stored.version, version)
        return { ...changedRecord(stored, checked, at), lastActivityAt: at }
      })
    },
    touch: async (id) => change(id, (_stored, lastActivityAt) => ({ lastActivityAt })),
    // One that has ended stays as it ended.
    end: async (id) =>
      change(id, (stored, at) =>
        stored.endedAt ? {} : { endedAt: at, lastActivityAt: at, updatedAt: at, version: stored.version + 1 },
      ),
    async delete(id) {
      checkId(id, 'id')
      await context.write((tables) => {
        if (!find(tables, id)) throw missing('session')
        tables.sessions.delete(id)
      })
    },
    async latest(userId) {
      checkId(userId, 'userId')
      return context.read((tables) => {
        const mine = tables.sessions.rows().filter((row) => row.userId === userId && isActive(row, context.clock()))
        return mine.sort((a, b) => newestFirst(keyOf(a), keyOf(b)))[0] ?? null
      })
    },
    async list(options = {}) {
      checkNames(options, ['before', 'after', 'limit', 'userId', 'active', 'includeExpired'])
      const { userId } = options
      if (userId !== undefined) checkId(userId, 'userId')
      const active = checkFlag(options.active, 'active')
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const codec = cursors(`sessions:${tenantId}:${userId ?? ''}`, ['number', 'string'])
      return context.read((tables) => {
        const now = context.clock()
        const wanted = (row: Session): boolean =>
          (userId === undefined || row.userId === userId) && (active ? isActive(row, now) : isAlive(row, now, expired))
        const listing = { codec, key: keyOf, compare: newestFirst }
        return pageOf(tables.sessions.rows().filter(wanted), window, listing)
      })
    },
  }
}
