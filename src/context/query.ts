import type { ContextQuery, ContextStrategy } from '../contract/context.js'
import type { SearchMode } from '../contract/search.js'
import { ValidationError } from '../errors.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import { MAX_PAGE } from '../options.js'

const NAMES = [
  'userId',
  'conversationId',
  'text',
  'vector',
  'mode',
  'strategy',
  'maxTokens',
  'maxMessages',
  'maxMemories',
  'maxDocuments',
  'namespaces',
]
/** Of the tokens that pinned messages leave, what memories and documents may take before the conversation does. */
export const SHARES: { readonly [S in ContextStrategy]: number } = {
  recent: 0,
  relevant: 0.6,
  important: 0.6,
  mixed: 0.35,
}
const MODES = ['text', 'vector', 'hybrid']
const MAX_TOKENS = 1_000_000

export interface CheckedContext {
  readonly userId: string
  readonly conversationId: string | null
  readonly text: string | null
  readonly vector: ArrayLike<number> | null
  /** Null: the best that the memory can. */
  readonly mode: SearchMode | null
  readonly strategy: ContextStrategy
  readonly maxTokens: number
  readonly maxMessages: number
  readonly maxMemories: number
  readonly maxDocuments: number
  readonly namespaces: readonly string[]
}

function whole(value: unknown, field: string, fallback: number, least: number, most: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw new ValidationError(field, `must be an integer from ${least} to ${most}`)
  return value
}

/** Checks a query before anything is read. */
export function checkContext(query: ContextQuery): CheckedContext {
  checkNames(query, NAMES, 'query')
  const { conversationId, text, vector, mode, strategy = 'mixed', namespaces = [] } = query
  const userId = checkId(query.userId, 'userId')
  if (conversationId !== undefined) checkId(conversationId, 'conversationId')
  if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
  if (mode !== undefined && !MODES.includes(mode)) throw new ValidationError('mode', 'must be text, vector or hybrid')
  if (!Object.hasOwn(SHARES, strategy))
    throw new ValidationError('strategy', `must be one of ${Object.keys(SHARES).join(', ')}`)
  if (!Array.isArray(namespaces) || namespaces.length > 100)
    throw new ValidationError('namespaces', 'must be an array of at most 100')
  namespaces.forEach((namespace, i) => {
    checkId(namespace, `namespaces[${i}]`)
  })
  return {
    userId,
    conversationId: conversationId ?? null,
    text: text ?? null,
    vector: vector ?? null,
    mode: mode ?? null,
    strategy,
    maxTokens: whole(query.maxTokens, 'maxTokens', 4000, 1, MAX_TOKENS),
    maxMessages: whole(query.maxMessages, 'maxMessages', 50, 0, MAX_PAGE),
    maxMemories: whole(query.maxMemories, 'maxMemories', 10, 0, MAX_PAGE),
    maxDocuments: whole(query.maxDocuments, 'maxDocuments', 5, 0, MAX_PAGE),
    namespaces,
  }
}
