import type { Conversation } from '../../model/records.js'
import { nowOf, type RedisContext } from './context.js'
import { listedConversation, listedMemory, listedSession, unlink, unlist, write } from './listings.js'
import { encodeRecord, readMemory, readSession } from './records.js'
import { batches } from './scan.js'
import type { Transaction } from './transaction.js'

/** Sessions and memories outlive the conversation that they name, whoever's they are: they name none then. */
export async function unlinkAll(tx: Transaction, context: RedisContext, id: string): Promise<void> {
  const { keys, tenantId } = context
  const changed = { conversationId: null, updatedAt: nowOf(context) }
  for await (const members of batches(tx, keys.links(id))) {
    const keyOf = (member: string): string =>
      member.startsWith('S') ? keys.session(member.slice(1)) : keys.memory(member.slice(1))
    await tx.lockMany(members.map(keyOf))
    for (const member of members) {
      const key = keyOf(member)
      const fields = await tx.lock(key)
      if (member.startsWith('S')) {
        const session = readSession(fields, tenantId)
        if (session?.conversationId !== id) continue
        const next = { ...session, ...changed, version: session.version + 1 }
        write(tx, key, { d: encodeRecord('session', next) }, null)
      } else {
        const memory = readMemory(fields, tenantId)
        if (memory?.conversationId !== id) continue
        const next = { ...memory, ...changed, version: memory.version + 1 }
        write(tx, key, { d: encodeRecord('memory', next) }, null)
      }
    }
  }
}

/** Deletes a conversation with its messages. It has been read for a change. */
export async function dropConversation(tx: Transaction, context: RedisContext, stored: Conversation): Promise<void> {
  const { keys } = context
  const key = keys.conversation(stored.id)
  tx.needsChildren(key, await tx.lock(key))
  await unlinkAll(tx, context, stored.id)
  tx.writes.dropHash(key)
  tx.writes.dropSet(keys.messages(stored.id))
  tx.writes.dropSet(keys.links(stored.id))
  unlist(tx, keys, listedConversation(stored))
}

/** Deletes a session or memory. It has been read for a change. */
export async function dropNamed(
  tx: Transaction,
  context: RedisContext,
  kind: 'session' | 'memory',
  id: string,
): Promise<boolean> {
  const { keys, tenantId } = context
  const key = kind === 'session' ? keys.session(id) : keys.memory(id)
  const fields = await tx.lock(key)
  const session = kind === 'session' ? readSession(fields, tenantId) : null
  const memory = kind === 'memory' ? readMemory(fields, tenantId) : null
  const listed = session ? listedSession(session) : memory ? listedMemory(memory) : null
  if (!listed) return false
  tx.writes.dropHash(key)
  unlist(tx, keys, listed)
  unlink(tx, keys, (session ?? memory)?.conversationId ?? null, listed)
  return true
}
