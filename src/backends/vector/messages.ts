import type { Plain } from '../../contract/backend.js'
import type { AppendOptions, MessageListOptions, MessageRepository } from '../../contract/repositories.js'
import { UnsupportedError } from '../../errors.js'
import type { MessagePatch, NewMessage } from '../../model/inputs.js'
import { checkFlag, checkNames } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Message } from '../../model/records.js'
import { changedMessage } from '../../repository/changed-records.js'
import { messageWindow } from '../../repository/message-options.js'
import { newMessage } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { checkVersion, checkVersionOption, missing } from '../../repository/refusals.js'
import { newRevision, nowOf, type VectorContext } from './context.js'
import { embed, ownVector, textOfMessage } from './embedding.js'
import { listed, placeOf } from './listing.js'
import { append, type Draft, inConversation, messageCursors, messageKey, upsert } from './message-append.js'
import { clear, deleteMessage } from './message-delete.js'
import { toPoint, toRecord } from './point.js'
import type { Condition, Point } from './store.js'
import { changing, Raced } from './writing.js'

/** Messages that are counted at a time. */
const BATCH = 1000

function draftsOf(
  context: VectorContext,
  conversationId: string,
  input: NewMessage | readonly NewMessage[],
  options: AppendOptions,
): Draft[] {
  checkId(conversationId, 'conversationId')
  checkNames(options, ['userId'])
  if (options.userId !== undefined) checkId(options.userId, 'userId')
  return context.checks.newMessages(input).map((checked, i) => ({
    message: newMessage(context, conversationId, checked),
    own: ownVector(context, checked.vector, `messages[${i}].vector`),
    named: checked.id !== undefined,
  }))
}

async function list(context: VectorContext, conversationId: string, options: MessageListOptions) {
  const { roles, ...window } = messageWindow(options)
  const codec = messageCursors(context.tenantId, conversationId)
  const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
  const narrowed: Condition[] = roles ? [{ field: 'role', in: roles }] : []
  const query = {
    kind: 'message',
    where: [inConversation(conversationId), ...narrowed],
    order: ['position'],
    descending: window.backward,
    after: from && { values: [from[0]], id: from[1] },
    limit: window.limit + 1,
  } as const
  const rows = await listed(context, query, (point) => toRecord('message', point, context.tenantId))
  return toPage(rows, window, ({ position, id }) => codec.encode(position, id))
}

async function turnCount(context: VectorContext, conversationId: string): Promise<number> {
  const where = [inConversation(conversationId), { field: 'role', in: ['user', 'assistant'] }] as const
  const order = ['position'] as const
  let turns = 0
  let asked = false
  for (let after: ReturnType<typeof placeOf> | null = null; ; ) {
    const query = { kind: 'message', where, order, descending: false, after, limit: BATCH } as const
    const page: Point[] = await listed(context, query, (point) => point)
    for (const { fields } of page) {
      if (asked && fields.role === 'assistant') turns++
      asked = fields.role === 'user'
    }
    const last = page.at(-1)
    if (!last || page.length < BATCH) return turns
    after = placeOf(last, order)
  }
}

async function update(
  context: VectorContext,
  key: string,
  patch: MessagePatch,
  version: number | undefined,
): Promise<Message> {
  const [before] = await context.points.fetch('message', [key])
  if (!before) throw missing('message')
  const stored = toRecord('message', before, context.tenantId)
  checkVersion('message', stored.version, version)
  const message = changedMessage(stored, patch, nowOf(context))
  const [embedded] = await embed(context, [{ text: textOfMessage(message), own: null, before }])
  const { vector, hash } = embedded as NonNullable<typeof embedded>
  const point = toPoint('message', message, before.fields.user, { revision: newRevision(), hash, before })
  const refused = await context.points.write('message', [{ point, vector, guard: { revision: before.revision } }])
  if (refused.size > 0) throw new Raced()
  return message
}

export function vectorMessages(context: VectorContext): Plain<MessageRepository> {
  const { checks, points, tenantId } = context
  const keyed = (conversationId: string, id: string): string => {
    checkId(conversationId, 'conversationId')
    checkId(id, 'id')
    return messageKey(context, conversationId, id)
  }
  return {
    async append(conversationId, input, options = {}) {
      const drafts = draftsOf(context, conversationId, input, options)
      return drafts.length === 0 ? [] : append(context, conversationId, drafts, options)
    },
    async upsert(conversationId, input, options = {}) {
      const drafts = draftsOf(context, conversationId, input, options)
      if (drafts.length === 0) return []
      return changing('message', undefined, () => upsert(context, conversationId, drafts, options))
    },
    async get(conversationId, id, options = {}) {
      const key = keyed(conversationId, id)
      checkNames(options, ['includeExpired'])
      checkFlag(options.includeExpired, 'includeExpired')
      const [point] = await points.fetch('message', [key])
      return point ? toRecord('message', point, tenantId) : null
    },
    async list(conversationId, options = {}) {
      checkId(conversationId, 'conversationId')
      return list(context, conversationId, options)
    },
    async update(conversationId, id, patch, options = {}) {
      const key = keyed(conversationId, id)
      const checked = checks.messagePatch(patch)
      const version = checkVersionOption(options.version)
      return changing('message', version, () => update(context, key, checked, version))
    },
    async delete(conversationId, id) {
      keyed(conversationId, id)
      await deleteMessage(context, conversationId, id)
    },
    async clear(conversationId, options = {}) {
      checkId(conversationId, 'conversationId')
      return clear(context, conversationId, options)
    },
    async branch() {
      throw new UnsupportedError(
        'conversations',
        'this memory keeps no conversations to branch: add SQLite or PostgreSQL as the primary',
      )
    },
    async turnCount(conversationId) {
      checkId(conversationId, 'conversationId')
      return turnCount(context, conversationId)
    },
  }
}
