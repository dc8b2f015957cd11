import {
  changedRecord,
  checkId,
  checkNames,
  checkVersion,
  checkVersionOption,
  compareText,
  cursors,
  exists,
  missing,
  newUser,
  type Plain,
  pageWindow,
  unknownUser,
} from '../../../src/backend-kit.js'
import type { User, UserRepository } from '../../../src/index.js'
import { type Context, pageOf } from './context.js'
import { deleteUser } from './delete.js'
import type { Tables } from './tables.js'

/** Makes the user if absent: nobody has to create rows by hand. */
export function ensureUser(context: Context, tables: Tables, id: string): void {
  if (!tables.users.get(id)) tables.users.set(id, unknownUser(context, id))
}

export function users(context: Context): Plain<UserRepository> {
  const { checks } = context
  const listing = {
    codec: cursors(`users:${context.tenantId}`, ['string']),
    key: (user: User): [string] => [user.id],
    compare: ([a]: [string], [b]: [string]) => compareText(a, b),
  }
  return {
    async create(input) {
      const user = newUser(context, checks.newUser(input))
      return context.write((tables) => {
        if (tables.users.get(user.id)) throw exists('user')
        tables.users.set(user.id, user)
        return user
      })
    },
    async get(id) {
      checkId(id, 'id')
      return context.read((tables) => tables.users.get(id) ?? null)
    },
    async update(id, patch, options = {}) {
      checkId(id, 'id')
      const checked = checks.userPatch(patch)
      const version = checkVersionOption(options.version)
      return context.write((tables) => {
        const stored = tables.users.get(id)
        if (!stored) throw missing('user')
        checkVersion('user', stored.version, version)
        const user = changedRecord(stored, checked, context.now())
        tables.users.set(id, user)
        return user
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await context.write((tables) => {
        if (!tables.users.get(id)) throw missing('user')
        deleteUser(context, tables, id)
      })
    },
    async list(options = {}) {
      checkNames(options, ['before', 'after', 'limit'])
      const window = pageWindow(options)
      return context.read((tables) => pageOf(tables.users.rows(), window, listing))
    },
  }
}
