import type { ClearOptions } from '../../contract/repositories.js'
import { ValidationError } from '../../errors.js'
import { checkFlag, checkNames } from '../../model/page-options.js'
import { instantProblem } from '../../model/text.js'
import { compareText } from '../../repository/matches.js'
import { missing } from '../../repository/refusals.js'
import { newRevision, nowOf, type VectorContext } from './context.js'
import { listed, placeOf } from './listing.js'
import { inConversation, messageCursors, messageKey } from './message-append.js'
import { toPoint, toRecord } from './point.js'
import type { Condition, Point, PointWrite } from './store.js'
import { changing, Raced } from './writing.js'

/** Messages read or deleted at a time. */
const BATCH = 500

/** Replies to messages that are gone name no parent any more. */
async function orphan(context: VectorContext, conversationId: string, gone: readonly string[]): Promise<void> {
  const { points, tenantId } = context
  const where: Condition[] = [inConversation(conversationId), { field: 'parent', in: gone }]
  const query = { kind: 'message', where, order: ['position'], descending: false, after: null, limit: BATCH } as const
  await changing('message', undefined, async () => {
    for (;;) {
      const replies = await points.page(query)
      if (replies.length === 0) return
      const writes = replies.map((before): PointWrite => {
        const stored = toRecord('message', before, tenantId)
        const message = { ...stored, parentId: null, updatedAt: nowOf(context), version: stored.version + 1 }
        const write = { revision: newRevision(), hash: before.hash, before }
        const point = toPoint('message', message, before.fields.user ?? '', write)
        return { point, vector: before.hash === null ? null : 'keep', guard: { revision: before.revision } }
      })
      const refused = await points.write('message', writes)
      if (refused.size > 0) throw new Raced()
    }
  })
}

async function remove(context: VectorContext, conversationId: string, ids: readonly string[]): Promise<void> {
  await context.points.remove(
    'message',
    ids.map((id) => messageKey(context, conversationId, id)),
  )
  await orphan(context, conversationId, ids)
}

export async function deleteMessage(context: VectorContext, conversationId: string, id: string): Promise<void> {
  const found = await context.points.fetch('message', [messageKey(context, conversationId, id)])
  if (found.length === 0) throw missing('message')
  await remove(context, conversationId, [id])
}

/** What `clear` may delete: what stands in front of a place, or was made before an instant. */
function boundOf(context: VectorContext, conversationId: string, { before }: ClearOptions) {
  if (before === undefined) return { where: [], fits: () => true }
  if (before instanceof Date) {
    const problem = instantProblem(before)
    if (problem) throw new ValidationError('before', problem)
    return { where: [{ field: 'created', lt: before.getTime() } as const], fits: () => true }
  }
  const [position, id] = messageCursors(context.tenantId, conversationId).decode(before, 'before')
  const fits = ({ fields }: Point): boolean => (fields.position ?? 0) < position || compareText(fields.id, id) < 0
  return { where: [{ field: 'position', lte: position } as const], fits }
}

/** Answers how many messages it deleted. In batches: one that is interrupted has deleted the oldest. */
export async function clear(context: VectorContext, conversationId: string, options: ClearOptions): Promise<number> {
  checkNames(options, ['keepSystem', 'before'])
  const keepSystem = options.keepSystem === undefined || checkFlag(options.keepSystem, 'keepSystem')
  const { where, fits } = boundOf(context, conversationId, options)
  const order = ['position'] as const
  let after: ReturnType<typeof placeOf> | null = null
  for (let total = 0; ; ) {
    const found: Point[] = await listed(
      context,
      {
        kind: 'message',
        where: [inConversation(conversationId), ...where],
        order,
        descending: false,
        after,
        limit: BATCH,
      },
      (point) => point,
    )
    const last = found.at(-1)
    if (!last) return total
    after = placeOf(last, order)
    const gone = found.filter((point) => fits(point) && !(keepSystem && point.fields.role === 'system'))
    if (gone.length > 0)
      await remove(
        context,
        conversationId,
        gone.map(({ fields }) => fields.id),
      )
    total += gone.length
  }
}
