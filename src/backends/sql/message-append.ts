import type { AppendOptions } from '../../contract/repositories.js'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.js'
import type { CheckedMessage } from '../../model/check.js'
import type { Message } from '../../model/records.js'
import { messageText } from '../../search/fields.js'
import { useLanguage } from './analyzer.js'
import { EMPTY, missing, now, type SqlContext } from './context.js'
import { findConversation, insertConversation } from './conversations.js'
import type { SqlSession } from './engine.js'
import { messageStatements } from './message-statements.js'

import { writeOwnVectors } from './vector-writing.js'

/** A message on its way into the table: the record and what only the table holds. */
export type MessageDraft = { -readonly [K in keyof Message]: Message[K] } & {
  searchText: string
  vector: Float32Array | null
}

/** Everything that can be made before the write's turn comes. */
export function drafts(
  context: SqlContext,
  conversationId: string,
  messages: readonly CheckedMessage[],
): MessageDraft[] {
  const at = now(context)
  return messages.map((message, i) => {
    const content = message.content ?? ''
    const createdAt = message.createdAt ?? at
    return {
      tenantId: context.tenantId,
      id: message.id ?? context.newId(),
      conversationId,
      position: 0,
      parentId: message.parentId ?? null,
      role: message.role,
      type: message.type ?? 'text',
      content,
      parts: message.parts ?? null,
      name: message.name ?? null,
      toolCallId: message.toolCallId ?? null,
      status: message.status ?? 'complete',
      metadata: message.metadata ?? EMPTY,
      createdAt,
      updatedAt: message.updatedAt ?? createdAt,
      version: 1,
      vector: context.vectors.own(message.vector, `messages[${i}].vector`),
      searchText: messageText(context.analyzer, context.tenantId, { name: message.name ?? null, content }),
    }
  })
}

/** The record alone. Written out: a copy that leaves one property out is several times dearer. */
export const toMessage = (draft: MessageDraft): Message => ({
  tenantId: draft.tenantId,
  id: draft.id,
  conversationId: draft.conversationId,
  position: draft.position,
  parentId: draft.parentId,
  role: draft.role,
  type: draft.type,
  content: draft.content,
  parts: draft.parts,
  name: draft.name,
  toolCallId: draft.toolCallId,
  status: draft.status,
  metadata: draft.metadata,
  createdAt: draft.createdAt,
  updatedAt: draft.updatedAt,
  version: draft.version,
})

/** Draws `n` positions; makes the conversation and its user if they are absent and `userId` is given. */
async function advance(
  context: SqlContext,
  session: SqlSession,
  conversationId: string,
  n: number,
  { userId }: Pick<AppendOptions, 'userId'>,
): Promise<Advanced> {
  const s = messageStatements(context.engine)
  const values = { tenantId: context.tenantId, conversationId, userId, n, now: now(context) }
  const statement = userId === undefined ? s.advance : s.advanceOfUser
  let [row] = await session.all(statement, values)
  if (!row && userId !== undefined) {
    // Somebody else may have just made it: if it is of another user, the next statement finds none.
    if (!(await findConversation(context, session, conversationId))) {
      try {
        await insertConversation(context, session, { id: conversationId, userId })
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
      }
    }
    ;[row] = await session.all(statement, values)
  }
  if (!row) throw new NotFoundError('conversation')
  return { last: row.lastPosition - n, language: row.language }
}

interface Advanced {
  readonly last: number
  readonly language: string | null
}

/** Messages of a conversation in another language than the store's are analysed again, in theirs. */
async function analyse(
  context: SqlContext,
  session: SqlSession,
  batch: readonly MessageDraft[],
  language: string | null,
): Promise<void> {
  if (language === null) return
  const analyzer = await useLanguage(context, session, language)
  if (analyzer === context.analyzer) return
  for (const draft of batch) draft.searchText = messageText(analyzer, draft.tenantId, draft)
}

/** A parent must be a message of the same conversation, or stand earlier in the same batch. */
export async function checkParents(
  context: SqlContext,
  session: SqlSession,
  batch: readonly MessageDraft[],
  given: readonly MessageDraft[] = batch,
): Promise<void> {
  if (batch.every((message) => message.parentId === null)) return
  const wanted = new Set<string>()
  const seen = new Set<string>()
  for (const { id, parentId } of batch) {
    if (parentId !== null && !seen.has(parentId)) wanted.add(parentId)
    seen.add(id)
  }
  const [first] = batch
  if (wanted.size === 0 || first === undefined) return
  const { existing } = messageStatements(context.engine)
  const ids = context.engine.conditions.texts([...wanted])
  const { tenantId, conversationId } = first
  const found = new Set((await session.all(existing, { tenantId, conversationId, ids })).map((row) => row.id))
  const earlier = new Set<string>()
  for (const message of batch) {
    const { id, parentId } = message
    if (parentId !== null && (parentId === id || !(earlier.has(parentId) || found.has(parentId))))
      throw new ValidationError(`messages[${given.indexOf(message)}].parentId`, 'names no message of this conversation')
    earlier.add(id)
  }
}

/** Whether every parent stands earlier in the batch. */
function parentsWithin(batch: readonly MessageDraft[]): boolean {
  const earlier = new Set<string>()
  return batch.every(({ id, parentId }) => {
    const known = parentId === null || earlier.has(parentId)
    earlier.add(id)
    return known
  })
}

/** Appends in the way that the store has for it. */
export async function append(
  context: SqlContext,
  conversationId: string,
  batch: readonly MessageDraft[],
  userId: string | undefined,
): Promise<void> {
  const { tenantId, analyzer, runner } = context
  const slow = () => runner.write((session) => appendMessages(context, session, conversationId, batch, { userId }))
  if (!runner.appends) return slow()
  const rows = batch as readonly Record<string, unknown>[]
  const path = (i: number): string => `messages[${i}].id`
  const { language } = analyzer.record
  // Nothing has to be looked up first.
  const simple = parentsWithin(batch) && batch.every(({ vector }) => vector === null)
  const fast = simple ? { tenantId, conversationId, userId, language, now: now(context), rows, path } : null
  const last = await runner.appends.submit(JSON.stringify([tenantId, conversationId]), fast, slow)
  if (last === null) return
  batch.forEach((message, i) => {
    message.position = last - batch.length + i + 1
  })
}

/** Appends what the door has let in. */
export async function appendMessages(
  context: SqlContext,
  session: SqlSession,
  conversationId: string,
  batch: readonly MessageDraft[],
  options: Pick<AppendOptions, 'userId'>,
): Promise<void> {
  const { last, language } = await advance(context, session, conversationId, batch.length, options)
  await analyse(context, session, batch, language)
  batch.forEach((message, i) => {
    message.position = last + i + 1
  })
  await checkParents(context, session, batch)
  await insertMessages(context, session, batch)
}

async function insertMessages(context: SqlContext, session: SqlSession, batch: readonly MessageDraft[]): Promise<void> {
  await context.engine.insert(
    session,
    'messages',
    batch as readonly Record<string, unknown>[],
    (i) => `messages[${i}].id`,
  )
  await writeMessageVectors(context, session, batch)
}

const writeMessageVectors = (context: SqlContext, session: SqlSession, batch: readonly MessageDraft[]): Promise<void> =>
  writeOwnVectors(
    context,
    session,
    'message',
    batch.map(({ conversationId, id, vector }) => ({ scope: conversationId, id, vector })),
  )

/** Replaces messages whose id exists, in their place, and appends the others. */
export async function upsertMessages(
  context: SqlContext,
  session: SqlSession,
  conversationId: string,
  batch: readonly MessageDraft[],
  options: Pick<AppendOptions, 'userId'>,
): Promise<Message[]> {
  const s = messageStatements(context.engine)
  const { tenantId } = context
  const ids = context.engine.conditions.texts(batch.map((message) => message.id))
  // First of all: messages of a conversation that has expired are gone with it.
  await advance(context, session, conversationId, 0, options)
  const existing = new Set((await session.all(s.existing, { tenantId, conversationId, ids })).map((row) => row.id))
  const unique = new Map(batch.map((message) => [message.id, message]))
  const all = [...unique.values()]
  const added = all.filter((message) => !existing.has(message.id))
  const replaced = all.filter((message) => existing.has(message.id))
  const { last, language } = await advance(context, session, conversationId, added.length, options)
  await analyse(context, session, all, language)
  await checkParents(context, session, all, batch)
  added.forEach((message, i) => {
    message.position = last + i + 1
  })
  await insertMessages(context, session, added)
  const stored = new Map(added.map((message) => [message.id, toMessage(message)]))
  for (const message of replaced) {
    const [before] = await session.all(s.lock, { tenantId, conversationId, id: message.id, now: now(context) })
    if (!before) throw missing('message')
    const draft = {
      ...message,
      position: before.position,
      createdAt: before.createdAt,
      updatedAt: now(context),
      version: before.version + 1,
    }
    await session.run(s.replace, { ...draft })
    await writeMessageVectors(context, session, [draft])
    stored.set(message.id, toMessage(draft))
  }
  return [...unique.keys()].map((id) => stored.get(id) as Message)
}
