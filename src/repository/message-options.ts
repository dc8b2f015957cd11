import { cursors } from '../contract/cursor.js'
import type { ClearOptions, MessageListOptions } from '../contract/repositories.js'
import { ValidationError } from '../errors.js'
import { checkFlag, checkLimit, checkNames, pageWindow, type Window } from '../model/page-options.js'
import { ROLES } from '../model/records.js'
import { instantProblem } from '../model/text.js'
import { checkList } from './filter.js'

/** The cursors of one conversation's messages. */
export const messageCursors = (tenantId: string, conversationId: string) =>
  cursors(`messages:${tenantId}:${conversationId}`, ['number'])
/** Behind every position. */
export const END = Number.MAX_SAFE_INTEGER

export interface MessageWindow extends Window {
  readonly roles: readonly string[] | undefined
  readonly expired: boolean
}

/** `last` and `first` are windows at an end; without anything the newest fifty are meant. */
export function messageWindow(options: MessageListOptions): MessageWindow {
  checkNames(options, ['before', 'after', 'limit', 'last', 'first', 'roles', 'includeExpired'])
  const { last, first, roles } = options
  const ends = (['before', 'after', 'last', 'first'] as const).filter((name) => options[name] !== undefined)
  if (ends.length > 1) throw new ValidationError(ends[0] as string, `cannot be given together with ${ends[1]}`)
  if (roles !== undefined) checkList(roles, 'roles', ROLES)
  const field = last !== undefined ? 'last' : first !== undefined ? 'first' : 'limit'
  if (field !== 'limit' && options.limit !== undefined)
    throw new ValidationError('limit', `cannot be given together with ${field}`)
  const limit = checkLimit(last ?? first ?? options.limit, field, 50)
  const window = pageWindow({ before: options.before, after: options.after })
  const newest = first === undefined && window.cursor === null
  return {
    ...window,
    limit,
    backward: newest || window.backward,
    roles,
    expired: checkFlag(options.includeExpired, 'includeExpired'),
  }
}

/** Up to where `clear` goes: in front of a position, or of an instant. */
export function clearBound(options: ClearOptions, tenantId: string, conversationId: string) {
  checkNames(options, ['keepSystem', 'before', 'operationId'])
  const { before } = options
  const forever = new Date('9999-12-31T23:59:59.999Z')
  if (before === undefined) return { beforePosition: END, beforeInstant: forever }
  if (before instanceof Date) {
    const problem = instantProblem(before)
    if (problem) throw new ValidationError('before', problem)
    return { beforePosition: END, beforeInstant: new Date(before) }
  }
  return {
    beforePosition: messageCursors(tenantId, conversationId).decode(before, 'before')[0],
    beforeInstant: forever,
  }
}
