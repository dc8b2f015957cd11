import type { Conversation, MemoryEntry, Session } from '../../model/records.js'
import type { TenantKeys } from './keys.js'
import { datedMember, rankedMember } from './order.js'
import { endOf, type Life } from './records.js'
import type { Transaction } from './transaction.js'

/** Where a record stands in listings, and among what expires. */
export interface Listed {
  readonly letter: 'C' | 'S' | 'E'
  readonly id: string
  readonly userId: string
  readonly member: string
}

export const listedConversation = (c: Conversation): Listed => ({
  letter: 'C',
  id: c.id,
  userId: c.userId,
  member: datedMember(c.createdAt, c.id),
})
export const listedSession = (s: Session): Listed => ({
  letter: 'S',
  id: s.id,
  userId: s.userId,
  member: datedMember(s.startedAt, s.id),
})
export const listedMemory = (m: MemoryEntry): Listed => ({
  letter: 'E',
  id: m.id,
  userId: m.userId,
  member: rankedMember(m.importance, m.createdAt, m.id),
})

/** The listings of the tenant and of the user. */
export function listingKeys(keys: TenantKeys, { letter, userId }: Pick<Listed, 'letter' | 'userId'>): string[] {
  const of = { C: keys.conversations, S: keys.sessions, E: keys.memories }[letter]
  return [of(), of(userId)]
}

/** All that a purge needs to know, where the record itself has gone already. */
export const dueMember = ({ letter, id, userId, member }: Listed): string =>
  JSON.stringify([letter, id, userId, member])

/** Puts a record into its listings, or tells them that its end has changed. */
export function enlist(tx: Transaction, keys: TenantKeys, listed: Listed, life: Life): void {
  const end = endOf(life)
  for (const key of listingKeys(keys, listed)) {
    tx.writes.set(key).members.set(listed.member, true)
    tx.writes.live(key, end)
  }
  tx.writes.score(keys.due, dueMember(listed), end)
}

export function unlist(tx: Transaction, keys: TenantKeys, listed: Listed): void {
  for (const key of listingKeys(keys, listed)) tx.writes.set(key).members.set(listed.member, false)
  tx.writes.score(keys.due, dueMember(listed), null)
}

/** That a session or memory names a conversation, whose deletion makes it name none. */
export function link(
  tx: Transaction,
  keys: TenantKeys,
  conversationId: string | null,
  listed: Listed,
  life: Life,
): void {
  if (conversationId === null) return
  const key = keys.links(conversationId)
  tx.writes.set(key).members.set(listed.letter + listed.id, true)
  tx.writes.live(key, endOf(life))
}

export function unlink(tx: Transaction, keys: TenantKeys, conversationId: string | null, listed: Listed): void {
  if (conversationId !== null) tx.writes.set(keys.links(conversationId)).members.set(listed.letter + listed.id, false)
}

/** Writes fields of a record, and when its key ends. */
export function write(
  tx: Transaction,
  key: string,
  fields: Readonly<Record<string, string | null>>,
  life: Life | null,
): void {
  const change = tx.writes.hash(key)
  for (const [name, value] of Object.entries(fields)) change.fields.set(name, value)
  if (life === null) return
  change.fields.set('x', life.own === null ? null : String(life.own))
  change.fields.set('y', life.given === null ? null : String(life.given))
  tx.writes.expiries.set(key, endOf(life))
}
