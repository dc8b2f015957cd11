import { missing } from '../../repository/refusals.js'
import type { RedisContext } from './context.js'
import { dropConversation, dropNamed } from './conversation-delete.js'
import { idOfDated, idOfRanked } from './order.js'
import { readConversation } from './records.js'
import { batches } from './scan.js'
import type { Transaction } from './transaction.js'

/** Deletes a user with all that is theirs. */
export async function deleteUser(tx: Transaction, context: RedisContext, id: string): Promise<void> {
  const { keys, tenantId } = context
  const key = keys.user(id)
  const fields = await tx.lock(key)
  if (fields.d === null) throw missing('user')
  tx.needsChildren(key, fields)
  for await (const members of batches(tx, keys.sessions(id))) {
    await tx.lockMany(members.map((member) => keys.session(idOfDated(member))))
    for (const member of members) await dropNamed(tx, context, 'session', idOfDated(member))
  }
  for await (const members of batches(tx, keys.memories(id))) {
    await tx.lockMany(members.map((member) => keys.memory(idOfRanked(member))))
    for (const member of members) await dropNamed(tx, context, 'memory', idOfRanked(member))
  }
  for await (const members of batches(tx, keys.conversations(id)))
    for (const member of members) {
      const conversation = readConversation(await tx.lock(keys.conversation(idOfDated(member))), tenantId)
      if (conversation?.userId === id) await dropConversation(tx, context, conversation)
    }
  for (const listing of [keys.sessions(id), keys.memories(id), keys.conversations(id)]) tx.writes.dropSet(listing)
  tx.writes.dropHash(key)
  tx.writes.set(keys.users).members.set(id, false)
  tx.writes.told.push({ type: 'user.deleted', key: [id], count: 1 })
}
