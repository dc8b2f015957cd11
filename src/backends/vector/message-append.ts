import { cursors } from '../../contract/cursor.js'
import type { AppendOptions } from '../../contract/repositories.js'
import { ConflictError, ValidationError } from '../../errors.js'
import type { Message } from '../../model/records.js'
import { missing } from '../../repository/refusals.js'
import { newRevision, nowOf, type VectorContext } from './context.js'
import { embed, textOfMessage } from './embedding.js'
import { keyOf, toPoint, toRecord } from './point.js'
import type { Condition, Point, PointWrite } from './store.js'
import { Raced } from './writing.js'

/** A message on its way: its position is given when it is stored. */
export interface Draft {
  readonly message: Message
  readonly own: Float32Array | null
  /** Whether the caller chose the id; one of ours has never been there. */
  readonly named: boolean
}

/** The cursors of one conversation's messages: positions of two writers may be equal. */
export const messageCursors = (tenantId: string, conversationId: string) =>
  cursors(`messages:${tenantId}:${conversationId}`, ['number', 'string'])

export const messageKey = (context: VectorContext, conversationId: string, id: string): string =>
  keyOf(context.tenantId, 'message', conversationId, id)

export const inConversation = (conversationId: string): Condition => ({ field: 'conversation', in: [conversationId] })

/** Whose conversation it is and its last position, which its newest message tells: conversations are not kept here. */
async function ownerOf(context: VectorContext, conversationId: string, userId: string | undefined) {
  const [newest] = await context.points.page({
    kind: 'message',
    where: [inConversation(conversationId)],
    order: ['position'],
    descending: true,
    after: null,
    limit: 1,
  })
  const user = newest?.fields.user ?? userId
  if (user === undefined || (userId !== undefined && user !== userId)) throw missing('conversation')
  return { user, last: newest?.fields.position ?? 0 }
}

/** What is stored of the ids that callers chose, and of parents. */
async function storedOf(context: VectorContext, conversationId: string, drafts: readonly Draft[]) {
  const ids = drafts.flatMap(({ message, named }) => [
    ...(named ? [message.id] : []),
    ...(message.parentId === null ? [] : [message.parentId]),
  ])
  const keys = [...new Set(ids)].map((id) => messageKey(context, conversationId, id))
  const stored = keys.length > 0 ? await context.points.fetch('message', keys) : []
  return new Map(stored.map((point) => [point.fields.id, point]))
}

/** A parent must be a message of the same conversation, or stand earlier in the same batch. */
function checkParents(drafts: readonly Draft[], stored: ReadonlyMap<string, Point>, given: readonly Draft[]): void {
  const earlier = new Set<string>()
  for (const draft of drafts) {
    const { id, parentId } = draft.message
    if (parentId !== null && (parentId === id || !(earlier.has(parentId) || stored.has(parentId))))
      throw new ValidationError(`messages[${given.indexOf(draft)}].parentId`, 'names no message of this conversation')
    earlier.add(id)
  }
}

/**
 * Positions of new messages, drawn when the call is made: calls of this process take effect in that order, whichever is
 * answered first. A conversation that is further than all of ours, by another process's clock, gives later ones.
 */
function reserve(context: VectorContext, count: number): (last: number) => number[] {
  const drawn = Array.from({ length: count }, () => context.position(0))
  return (last) => {
    if (last <= context.position.drawn()) return drawn
    let position = last
    return drawn.map(() => {
      position = context.position(position)
      return position
    })
  }
}

const exists = (i: number): ConflictError =>
  new ConflictError(`messages[${i}].id: a message with this id exists already`)

async function everything(
  context: VectorContext,
  conversationId: string,
  drafts: readonly Draft[],
  options: AppendOptions,
) {
  const [owner, stored] = await Promise.all([
    ownerOf(context, conversationId, options.userId),
    storedOf(context, conversationId, drafts),
  ])
  return { ...owner, stored }
}

/** Gives the messages the next positions, and makes their points. */
async function write(
  context: VectorContext,
  user: string,
  messages: readonly { readonly message: Message; readonly own: Float32Array | null; readonly before?: Point }[],
  guarded: (i: number) => PointWrite['guard'],
): Promise<number[]> {
  const embedded = await embed(
    context,
    messages.map(({ message, own, before }) => ({ text: textOfMessage(message), own, before })),
  )
  const writes = messages.map(({ message, before }, i): PointWrite => {
    const { vector, hash } = embedded[i] as (typeof embedded)[number]
    return {
      point: toPoint('message', message, user, { revision: newRevision(), hash, before }),
      vector,
      guard: guarded(i),
    }
  })
  const refused = await context.points.write('message', writes)
  return writes.flatMap(({ point }, i) => (refused.has(point.key) ? [i] : []))
}

/** Appends what the door has let in. An id that is there already is a ConflictError; others may be written by then. */
export async function append(
  context: VectorContext,
  conversationId: string,
  drafts: readonly Draft[],
  options: AppendOptions,
): Promise<Message[]> {
  const seen = new Set<string>()
  for (const [i, { message }] of drafts.entries()) {
    if (seen.has(message.id)) throw exists(i)
    seen.add(message.id)
  }
  const reserved = reserve(context, drafts.length)
  const { user, last, stored } = await everything(context, conversationId, drafts, options)
  const taken = drafts.findIndex(({ message, named }) => named && stored.has(message.id))
  if (taken >= 0) throw exists(taken)
  checkParents(drafts, stored, drafts)
  const positions = reserved(last)
  const placed = drafts.map(({ message, own }, i) => ({
    message: { ...message, position: positions[i] as number },
    own,
  }))
  const [refused] = await write(context, user, placed, (i) => (drafts[i]?.named ? 'absent' : null))
  if (refused !== undefined) throw exists(refused)
  return placed.map(({ message }) => message)
}

/** Replaces messages whose id exists, in their place, and appends the others. Of one id given twice the last counts. */
export async function upsert(
  context: VectorContext,
  conversationId: string,
  given: readonly Draft[],
  options: AppendOptions,
): Promise<Message[]> {
  const drafts = [...new Map(given.map((draft) => [draft.message.id, draft])).values()]
  const reserved = reserve(context, drafts.length)
  const { user, last, stored } = await everything(context, conversationId, drafts, options)
  checkParents(drafts, stored, given)
  const positions = reserved(last)
  const placed = drafts.map(({ message, own }, i) => {
    const before = stored.get(message.id)
    if (before) {
      const { position, createdAt, version } = toRecord('message', before, context.tenantId)
      const replaced = { ...message, position, createdAt, updatedAt: nowOf(context), version: version + 1 }
      return { message: replaced, own, before }
    }
    return { message: { ...message, position: positions[i] as number }, own }
  })
  const guards = placed.map(({ before }) => (before ? { revision: before.revision } : ('absent' as const)))
  const refused = await write(context, user, placed, (i) => guards[i] as PointWrite['guard'])
  // Somebody was faster: a repetition replaces what was written by then once more, which changes its version alone.
  if (refused.length > 0) throw new Raced()
  return placed.map(({ message }) => message)
}
