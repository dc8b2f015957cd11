import type { PurgeOptions, PurgeReport } from '../../contract/statistics.js'
import type { MemoryEntry } from '../../model/records.js'
import { batchSize } from '../../repository/purge-options.js'
import type { RedisContext } from './context.js'
import { dropConversation, dropNamed, unlinkAll } from './conversation-delete.js'
import { dueMember, type Listed, listedConversation, listedMemory, listedSession, unlist, write } from './listings.js'
import { operationDue } from './operations.js'
import { endOf, isOver, type Life, lifeOf, readConversation, readMemory, readSession } from './records.js'
import type { Transaction } from './transaction.js'

type Removed = { -readonly [K in keyof PurgeReport]: number }
const nothing = (): Removed => ({
  conversations: 0,
  messages: 0,
  sessions: 0,
  memories: 0,
  documents: 0,
  operations: 0,
})

/** Milliseconds that the last purge is remembered. */
const REMEMBERED_MS = 3_600_000

type Due = readonly [letter: string, id: string, userId: string, member: string]

function dueOf(member: string): Due | null {
  try {
    const due: unknown = JSON.parse(member)
    return Array.isArray(due) && due.length === 4 && due.every((part) => typeof part === 'string')
      ? (due as unknown as Due)
      : null
  } catch {
    return null
  }
}

/** Removes one record that is due, if it still is. */
async function removeOne(tx: Transaction, context: RedisContext, member: string, removed: Removed): Promise<void> {
  const { keys } = context
  const due = dueOf(member)
  if (due?.[0] === 'C') return removeConversation(tx, context, due, removed)
  if (due?.[0] === 'S' || due?.[0] === 'E') return removeNamed(tx, context, due, removed)
  tx.writes.score(keys.due, member, null)
  if (due?.[0] !== 'O') return
  const fields = await tx.lock(keys.operation(due[1]))
  if (fields.d !== null && !isOver(lifeOf(fields), context.clock()))
    return tx.writes.score(keys.due, operationDue(due[1]), Number(fields.x))
  tx.writes.dropHash(keys.operation(due[1]))
  removed.operations++
}

const listedOf = ([letter, id, userId, member]: Due): Listed => ({
  letter: letter as Listed['letter'],
  id,
  userId,
  member,
})

/**
 * An entry whose record is not over: somebody has given it a longer life, or another record was begun under its id.
 */
function spare(tx: Transaction, { keys }: RedisContext, due: Due, stored: Listed, life: Life): void {
  const entry = listedOf(due)
  if (dueMember(stored) === dueMember(entry)) tx.writes.score(keys.due, dueMember(entry), endOf(life))
  else unlist(tx, keys, entry)
}

async function removeConversation(tx: Transaction, context: RedisContext, due: Due, removed: Removed): Promise<void> {
  const { keys, tenantId } = context
  const fields = await tx.lock(keys.conversation(due[1]))
  const stored = readConversation(fields, tenantId)
  const life = lifeOf(fields)
  if (stored && !isOver(life, context.clock())) return spare(tx, context, due, listedConversation(stored), life)
  if (stored) await dropConversation(tx, context, stored)
  // Redis has taken it away by itself.
  else await unlinkAll(tx, context, due[1])
  unlist(tx, keys, listedOf(due))
  removed.conversations++
  removed.messages += stored?.messageCount ?? 0
}

async function removeNamed(tx: Transaction, context: RedisContext, due: Due, removed: Removed): Promise<void> {
  const { keys, tenantId } = context
  const kind = due[0] === 'S' ? 'session' : 'memory'
  const fields = await tx.lock(kind === 'session' ? keys.session(due[1]) : keys.memory(due[1]))
  const life = lifeOf(fields)
  if (fields.d !== null && !isOver(life, context.clock())) {
    const session = kind === 'session' ? readSession(fields, tenantId) : null
    const memory = kind === 'memory' ? readMemory(fields, tenantId) : null
    const listed = session ? listedSession(session) : listedMemory(memory as MemoryEntry)
    return spare(tx, context, due, listed, life)
  }
  await dropNamed(tx, context, kind, due[1])
  unlist(tx, keys, listedOf(due))
  removed[kind === 'session' ? 'sessions' : 'memories']++
}

/** Removes what has expired in one tenant, in bounded batches, each of them one commit. */
export async function purgeTenant(context: RedisContext, options: PurgeOptions): Promise<PurgeReport> {
  const limit = batchSize(options)
  const { runner, client, keys } = context
  const total = nothing()
  for (;;) {
    const removed = await runner.write(async (tx) => {
      // Two purges side by side would count the same records.
      await tx.lock(keys.purge)
      const due = await client.call((c) => c.zrangebyscore(keys.due, '-inf', context.clock(), 'LIMIT', 0, limit))
      if (due.length === 0) return null
      const counted = nothing()
      for (const member of due) await removeOne(tx, context, member, counted)
      write(tx, keys.purge, { d: '' }, { own: context.clock() + REMEMBERED_MS, given: null })
      return counted
    })
    if (removed === null) return total
    for (const kind of Object.keys(total) as (keyof Removed)[]) total[kind] += removed[kind]
  }
}
