import type { AppendOptions } from '../../contract/repositories.js'
import { ConflictError, StorageError, TimeoutError, UnsupportedError, ValidationError } from '../../errors.js'
import type { CheckedMessage } from '../../model/check.js'
import type { Message } from '../../model/records.js'
import { newMessage } from '../../repository/new-records.js'
import { missing } from '../../repository/refusals.js'
import { nowOf, pause, type RedisContext, slid } from './context.js'
import { aliveConversation, insertConversation, writeConversation } from './conversations.js'
import { positionField } from './keys.js'
import { dueMember, listedConversation, listingKeys } from './listings.js'
import { encodeMessage, lifeOf, messageMember } from './records.js'
import { APPEND } from './scripts.js'
import type { Transaction } from './transaction.js'

/** A message on its way: its position is given when it is stored. */
export type Draft = { -readonly [K in keyof Message]: Message[K] }

/** Everything that can be made before the write's turn comes. */
export function drafts(context: RedisContext, conversationId: string, messages: readonly CheckedMessage[]): Draft[] {
  const at = context.clock()
  const making = { tenantId: context.tenantId, newId: context.newId, clock: () => at }
  return messages.map((message) => {
    if (message.vector !== undefined)
      throw new UnsupportedError('vectorSearch', 'Redis keeps no vectors: add Qdrant, ChromaDB, or an SQL backend')
    return newMessage(making, conversationId, message)
  })
}

const taken = (i: number): ConflictError =>
  new ConflictError(`messages[${i}].id: a message with this id exists already`)
const noParent = (i: number): ValidationError =>
  new ValidationError(`messages[${i}].parentId`, 'names no message of this conversation')

/** An id may stand once in a batch. */
function checkTwice(batch: readonly Draft[]): void {
  if (batch.length < 2) return
  const seen = new Set<string>()
  batch.forEach(({ id }, i) => {
    if (seen.has(id)) throw taken(i)
    seen.add(id)
  })
}

/** Appends to a conversation, making it where it is absent and a user is given. */
export async function append(
  context: RedisContext,
  conversationId: string,
  batch: Draft[],
  { userId }: Pick<AppendOptions, 'userId'>,
): Promise<void> {
  checkTwice(batch)
  const whole = () => context.runner.write((tx) => appendMessages(tx, context, conversationId, batch, userId))
  if (!context.runner.direct) return whole()
  const attempt = await attemptOf(context, conversationId, batch, userId)
  const { queues, keys } = context
  const name = keys.conversation(conversationId)
  // Calls of this process take effect in the order they were made: behind one that waits, the others wait too.
  if (!queues.has(name) && (await attempt()) === 'DONE') return
  const turn = (queues.get(name) ?? Promise.resolve()).then(() => insist(context, attempt, whole))
  const left = turn.catch(() => undefined)
  queues.set(name, left)
  void left.then(() => queues.get(name) === left && queues.delete(name))
  await turn
}

type Attempt = () => Promise<'DONE' | 'MISSING' | 'LOCKED'>

/** Until it is done: an absent conversation is made, a locked one waited for. */
async function insist(context: RedisContext, attempt: Attempt, whole: () => Promise<void>): Promise<void> {
  const started = performance.now()
  for (let attempts = 1; ; attempts++) {
    const answer = await attempt()
    if (answer === 'DONE') return
    if (answer === 'MISSING') return whole()
    if (performance.now() - started > context.writeTimeout)
      throw new TimeoutError('a unit keeps the conversation for longer than writeTimeout')
    await pause(attempts)
  }
}

/** One script, which draws the positions, of a conversation that is there and that nobody has in hand. */
async function attemptOf(
  context: RedisContext,
  conversationId: string,
  batch: Draft[],
  userId: string | undefined,
): Promise<Attempt> {
  const { keys, client, keep, sliding, ttl } = context
  const conversation = keys.conversation(conversationId)
  const all = [conversation, keys.messages(conversationId), keys.lock(conversation), keys.due, keys.events]
  const moves = sliding && ttl !== null ? await slidingOf(context, conversationId) : null
  if (moves) all.push(...moves.listings)
  const args: (string | number)[] = [
    context.token(),
    context.clock(),
    userId ?? '',
    batch.length,
    moves ? (ttl ?? '') : '',
    moves?.due ?? '',
    keep ?? '',
    keep === null ? '' : `[${JSON.stringify(conversationId)},`,
  ]
  for (const message of batch) args.push(positionField(message.id), parentField(message), encodeMessage(message))
  return async () => {
    const [answer, detail] = (await client.write(APPEND, all, args)) as [string, string | number | undefined]
    if (answer === 'MISSING' || answer === 'LOCKED') return answer
    if (answer === 'OK') place(batch, Number(detail))
    // Of an answer that got lost, the messages may be ours.
    else if (answer !== 'EXISTS') refuse(answer, Number(detail))
    else if (!(await isStored(context, conversationId, batch))) throw taken(Number(detail))
    return 'DONE'
  }
}

const parentField = ({ parentId }: Draft): string => (parentId === null ? '' : positionField(parentId))

function refuse(answer: string, i: number): void {
  if (answer === 'OTHER') throw missing('conversation')
  if (answer === 'PARENT') throw noParent(i)
  if (answer === 'WRONGTYPE')
    throw new StorageError('a key of this memory holds something else (WRONGTYPE): nothing was written')
}

const place = (batch: Draft[], last: number): void =>
  batch.forEach((message, i) => {
    message.position = last - batch.length + i + 1
  })

/** What else moves when a conversation's end slides: its entry among what is due, and how long its listings live. */
async function slidingOf(context: RedisContext, id: string) {
  const { keys, runner } = context
  const found = await runner.read(async (tx) => aliveConversation(context, await tx.fields(keys.conversation(id))))
  if (!found) return null
  const listed = listedConversation(found)
  return { due: dueMember(listed), listings: listingKeys(keys, listed) }
}

/** Whether these very messages stand there, one behind the other. */
async function isStored(context: RedisContext, conversationId: string, batch: Draft[]): Promise<boolean> {
  const { keys, runner } = context
  return runner.read(async (tx) => {
    const positions = await tx.values(
      keys.conversation(conversationId),
      batch.map(({ id }) => positionField(id)),
    )
    const [first] = positions
    if (!first || positions.some((position, i) => Number(position) !== Number(first) + i)) return false
    place(batch, Number(first) + batch.length - 1)
    const stored = await tx.members(keys.messages(conversationId), batch.map(messageMember))
    return stored.every((there) => there)
  })
}

/** Appends what the door has let in, as a part of a transaction. */
async function appendMessages(
  tx: Transaction,
  context: RedisContext,
  conversationId: string,
  batch: Draft[],
  userId: string | undefined,
): Promise<void> {
  const { keys } = context
  const key = keys.conversation(conversationId)
  let conversation = aliveConversation(context, await tx.lock(key))
  if (!conversation && userId !== undefined)
    conversation = await insertConversation(tx, context, { id: conversationId, userId })
  if (!conversation || (userId !== undefined && conversation.userId !== userId)) throw missing('conversation')
  const known = await tx.values(
    key,
    batch.map(({ id }) => positionField(id)),
  )
  known.forEach((position, i) => {
    if (position !== null) throw taken(i)
  })
  await checkParents(tx, context, conversationId, batch)
  const lastPosition = conversation.lastPosition + batch.length
  place(batch, lastPosition)
  addMessages(tx, context, batch)
  const messageCount = conversation.messageCount + batch.length
  const next = { ...conversation, messageCount, lastPosition, updatedAt: nowOf(context) }
  writeConversation(tx, context, next, slid(context, lifeOf(await tx.fields(key))))
  const last = batch[batch.length - 1] as Draft
  tx.writes.told.push({ type: 'message.appended', key: [conversationId, last.id], count: batch.length })
}

/** A parent must be a message of the same conversation, or stand earlier in the same batch. */
export async function checkParents(
  tx: Transaction,
  { keys }: RedisContext,
  conversationId: string,
  batch: readonly Draft[],
  given: readonly Draft[] = batch,
): Promise<void> {
  const parents = [...new Set(batch.flatMap(({ parentId }) => (parentId === null ? [] : [parentId])))]
  if (parents.length === 0) return
  const positions = await tx.values(keys.conversation(conversationId), parents.map(positionField))
  const known = new Set(parents.filter((_, i) => positions[i] !== null))
  const earlier = new Set<string>()
  for (const message of batch) {
    const { id, parentId } = message
    if (parentId !== null && (parentId === id || !(earlier.has(parentId) || known.has(parentId))))
      throw noParent(given.indexOf(message))
    earlier.add(id)
  }
}

/** Writes messages that have their positions. */
export function addMessages(tx: Transaction, { keys }: RedisContext, batch: readonly Draft[]): void {
  for (const message of batch) {
    tx.writes.set(keys.messages(message.conversationId)).members.set(messageMember(message), true)
    tx.writes
      .hash(keys.conversation(message.conversationId))
      .fields.set(positionField(message.id), String(message.position))
  }
}
