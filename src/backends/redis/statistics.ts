import type { Statistics } from '../../contract/statistics.js'
import { checkNames } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { MemoryEntry } from '../../model/records.js'
import type { RedisContext } from './context.js'
import { aliveConversation } from './conversations.js'
import { listedConversation, listedMemory, listedSession } from './listings.js'
import { idOfDated, idOfRanked } from './order.js'
import { isOver, lifeOf, readMemory, readSession } from './records.js'
import { batches } from './scan.js'
import type { Fields, Transaction } from './transaction.js'

/** Goes over a listing in batches, telling every record that is there and has not expired. */
async function each(
  tx: Transaction,
  context: RedisContext,
  listing: string,
  keyOf: (member: string) => string,
  visit: (fields: Fields, member: string) => void,
): Promise<void> {
  for await (const members of batches(tx, listing)) {
    const all = await tx.manyFields(members.map(keyOf))
    all.forEach((fields, i) => {
      if (fields.d !== null && !isOver(lifeOf(fields), context.clock())) visit(fields, members[i] as string)
    })
  }
}

/** Counted from the records themselves: counters would drift where Redis lets records expire. */
export function redisStatistics(
  context: RedisContext,
): (options: { readonly userId?: string | undefined }) => Promise<Statistics> {
  const { keys, tenantId, runner } = context
  return async (options) => {
    checkNames(options, ['userId'])
    const { userId } = options
    if (userId !== undefined) checkId(userId, 'userId')
    const listing = (of: (userId?: string) => string): string => (userId === undefined ? of() : of(userId))
    const counts = { conversations: 0, messages: 0, sessions: 0, activeSessions: 0, memories: 0 }
    const types = new Map<MemoryEntry['type'], number>()
    return runner.read(async (tx) => {
      const conversationOf = (m: string): string => keys.conversation(idOfDated(m))
      await each(tx, context, listing(keys.conversations), conversationOf, (fields, member) => {
        const found = aliveConversation(context, fields)
        if (!found || listedConversation(found).member !== member) return
        counts.conversations++
        counts.messages += found.messageCount
      })
      const sessionOf = (m: string): string => keys.session(idOfDated(m))
      await each(tx, context, listing(keys.sessions), sessionOf, (fields, member) => {
        const found = readSession(fields, tenantId)
        if (!found || listedSession(found).member !== member) return
        counts.sessions++
        if (found.endedAt === null) counts.activeSessions++
      })
      await each(
        tx,
        context,
        listing(keys.memories),
        (m) => keys.memory(idOfRanked(m)),
        (fields, member) => {
          const found = readMemory(fields, tenantId)
          if (!found || listedMemory(found).member !== member) return
          counts.memories++
          types.set(found.type, (types.get(found.type) ?? 0) + 1)
        },
      )
      const users = await countUsers(tx, context, userId)
      const memoriesByType = Object.fromEntries([...types].sort(([a], [b]) => (a < b ? -1 : 1)))
      return { users, ...counts, memoriesByType, documents: userId === undefined ? 0 : null }
    })
  }
}

async function countUsers(tx: Transaction, { keys }: RedisContext, userId: string | undefined): Promise<number> {
  if (userId !== undefined) return (await tx.fields(keys.user(userId))).d === null ? 0 : 1
  let users = 0
  for await (const members of batches(tx, keys.users, 1000)) users += members.length
  return users
}
