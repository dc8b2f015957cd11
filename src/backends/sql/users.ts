import { sql } from 'drizzle-orm/sql/sql'
import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type { Page, PageOptions } from '../../contract/page.js'
import type { UpdateOptions, UserRepository } from '../../contract/repositories.js'
import type { NewUser, UserPatch } from '../../model/inputs.js'
import { checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { User } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { newUser, unknownUser } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { userColumns } from './columns.js'
import { checkVersion, checkVersionOption, exists, missing, now, type SqlContext, tenantIs } from './context.js'
import { deleteUser } from './delete.js'
import { perEngine, type SqlSession } from './engine.js'
import { list, value } from './statement.js'
import { assignments, insertInto } from './write.js'

const KEYS = [
  'tenantId',
  'id',
  'name',
  'preferences',
  'profile',
  'metadata',
  'lastActiveAt',
  'createdAt',
  'updatedAt',
  'version',
  'revision',
] as const
const PATCHED = ['name', 'preferences', 'profile', 'metadata', 'lastActiveAt', 'updatedAt', 'version'] as const

const statements = perEngine((engine) => {
  const { users } = engine.tables
  const selection = userColumns(engine.tables)
  const one = sql`from ${users} where ${tenantIs(users.tenantId)} and ${users.id} = ${value('id')}`
  const listed = sql`select ${list(selection)} from ${users} where ${tenantIs(users.tenantId)}`
  return {
    insert: engine.command(() => sql`${insertInto(engine, 'users', KEYS)} on conflict (tenant_id, id) do nothing`),
    get: engine.statement(selection, () => sql`select ${list(selection)} ${one}`),
    lock: engine.statement(selection, () => sql`select ${list(selection)} ${one} ${engine.forUpdate}`),
    update: engine.command(
      () =>
        sql`update ${users} set ${assignments(engine, 'users', PATCHED)}, revision = ${engine.revision}
          where ${tenantIs(users.tenantId)} and ${users.id} = ${value('id')}`,
    ),
    forward: engine.statement(
      selection,
      () => sql`${listed} and ${users.id} > ${value('from')} order by ${users.id} limit ${value('limit')}`,
    ),
    backward: engine.statement(
      selection,
      () => sql`${listed} and ${users.id} < ${value('from')} order by ${users.id} desc limit ${value('limit')}`,
    ),
  }
})

/** Makes the user if absent: nobody has to create rows by hand. */
export async function ensureUser(context: SqlContext, session: SqlSession, id: string): Promise<void> {
  const { insert, get } = statements(context.engine)
  // Looking first spares the revision and the write that nearly always is not needed.
  if ((await session.all(get, { tenantId: context.tenantId, id })).length === 0)
    await session.run(insert, { ...unknownUser(context, id) })
}

export function sqlUsers(context: SqlContext): Plain<UserRepository> {
  const { runner, tenantId, engine, checks } = context
  const codec = cursors(`users:${tenantId}`, ['string'])
  return {
    async create(input: NewUser): Promise<User> {
      const user = newUser(context, checks.newUser(input))
      return runner.write(async (session) => {
        if ((await session.run(statements(engine).insert, { ...user })) === 0) throw exists('user')
        return user
      })
    },
    async get(id) {
      checkId(id, 'id')
      return runner.read(async (session) => (await session.all(statements(engine).get, { tenantId, id }))[0] ?? null)
    },
    async update(id: string, patch: UserPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.userPatch(patch)
      const version = checkVersionOption(options.version)
      return runner.write(async (session) => {
        const { lock, update } = statements(engine)
        const [stored] = await session.all(lock, { tenantId, id })
        if (!stored) throw missing('user')
        checkVersion('user', stored.version, version)
        const user = changedRecord(stored, checked, now(context))
        await session.run(update, { ...user })
        return user
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await runner.write(async (session) => {
        if (!(await deleteUser(context, session, id))) throw missing('user')
      })
    },
    async list(options: PageOptions = {}): Promise<Page<User>> {
      checkNames(options, ['before', 'after', 'limit'])
      const window = pageWindow(options)
      const { forward, backward } = statements(engine)
      const from = window.cursor === null ? '' : codec.decode(window.cursor, window.field)[0]
      return runner.read(async (session) => {
        const rows = await session.all(window.backward ? backward : forward, {
          tenantId,
          from,
          limit: window.limit + 1,
        })
        return toPage(rows, window, (user) => codec.encode(user.id))
      })
    },
  }
}
