import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type { PageOptions } from '../../contract/page.js'
import type { UpdateOptions, UserRepository } from '../../contract/repositories.js'
import type { NewUser, UserPatch } from '../../model/inputs.js'
import { checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { User } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { newUser, unknownUser } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { checkVersion, checkVersionOption, exists, missing } from '../../repository/refusals.js'
import { nowOf, type RedisContext } from './context.js'
import { write } from './listings.js'
import { beyond, FIRST, LAST } from './order.js'
import { encodeRecord, readUser } from './records.js'
import type { Transaction } from './transaction.js'
import { deleteUser } from './user-delete.js'

/** Writes a user as it is to be. */
export function putUser(tx: Transaction, { keys }: RedisContext, user: User): void {
  write(tx, keys.user(user.id), { d: encodeRecord('user', user) }, null)
  tx.writes.set(keys.users).members.set(user.id, true)
  tx.writes.live(keys.users, null)
}

function insert(tx: Transaction, context: RedisContext, user: User): void {
  putUser(tx, context, user)
  tx.writes.told.push({ type: 'user.created', key: [user.id], count: 1 })
}

/** Makes the user if absent: nobody has to create rows by hand. What is theirs is counted as it comes. */
export async function ensureUser(tx: Transaction, context: RedisContext, id: string, children = 1): Promise<void> {
  const key = context.keys.user(id)
  if ((await tx.fields(key)).d !== null) tx.needs(key)
  else if ((await tx.lock(key)).d === null) insert(tx, context, unknownUser(context, id))
  const { writes } = tx
  writes.children.set(key, (writes.children.get(key) ?? 0) + children)
}

export function redisUsers(context: RedisContext): Plain<UserRepository> {
  const { runner, tenantId, keys, checks } = context
  const codec = cursors(`users:${tenantId}`, ['string'])
  return {
    async create(input: NewUser): Promise<User> {
      const user = newUser(context, checks.newUser(input))
      return runner.write(async (tx) => {
        if ((await tx.lock(keys.user(user.id))).d !== null) throw exists('user')
        insert(tx, context, user)
        return user
      })
    },
    async get(id) {
      checkId(id, 'id')
      return runner.read(async (tx) => readUser(await tx.fields(keys.user(id)), tenantId))
    },
    async update(id: string, patch: UserPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.userPatch(patch)
      const version = checkVersionOption(options.version)
      return runner.write(async (tx) => {
        const stored = readUser(await tx.lock(keys.user(id)), tenantId)
        if (!stored) throw missing('user')
        checkVersion('user', stored.version, version)
        const user = changedRecord(stored, checked, nowOf(context))
        write(tx, keys.user(id), { d: encodeRecord('user', user) }, null)
        tx.writes.told.push({ type: 'user.updated', key: [id], count: 1 })
        return user
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await runner.write((tx) => deleteUser(tx, context, id))
    },
    async list(options: PageOptions = {}) {
      checkNames(options, ['before', 'after', 'limit'])
      const window = pageWindow(options)
      const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)[0]
      const edge = from === null ? null : beyond(from)
      const range = {
        min: window.backward ? FIRST : (edge ?? FIRST),
        max: window.backward ? (edge ?? LAST) : LAST,
        limit: window.limit + 1,
        reverse: window.backward,
      }
      return runner.read(async (tx) => {
        const ids = await tx.range(keys.users, range)
        const rows = await tx.manyFields(ids.map((id) => keys.user(id)))
        const users = rows.map((fields) => readUser(fields, tenantId)).filter((user) => user !== null)
        return toPage(users, window, (user) => codec.encode(user.id))
      })
    },
  }
}
