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
const MODES = ['text', 'vector', 'hybrid']
const MAX_TOKENS = 1_000_000
const MAX_NAMESPACES = 100
const MAX_DIMENSIONS = 16_384

interface Shares {
  readonly memories: number
  readonly documents: number
}
/**
 * What memories and documents may take of the tokens that pinned messages and the user's newest message leave; the rest
 * is for older messages. What one does not need goes to the others.
 */
export const SHARES: { readonly [S in ContextStrategy]: Shares } = {
  recent: { memories: 0, documents: 0 },
  relevant: { memories: 0.3, documents: 0.3 },
  important: { memories: 0.4, documents: 0.2 },
  mixed: { memories: 0.2, documents: 0.15 },
}
const STRATEGIES = Object.keys(SHARES)

export interface CheckedContext {
  readonly userId: string
  readonly conversationId: string | null
  readonly text: string | null
  readonly vector: readonly number[] | null
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

function oneOf<T extends string>(value: T | undefined, field: string, names: readonly string[]): T | null {
  if (value === undefined) return null
  if (!names.includes(value)) throw new ValidationError(field, `must be one of ${names.join(', ')}`)
  return value
}

/** A copy, so that it does not change while something is read. */
function vectorOf(value: unknown): readonly number[] | null {
  if (value === undefined) return null
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && 'length' in value))
    throw new ValidationError('vector', 'must be an array of numbers')
  const { length } = value as ArrayLike<number>
  if (length < 1 || length > MAX_DIMENSIONS)
    throw new ValidationError('vector', `must have 1 to ${MAX_DIMENSIONS} numbers`)
  const numbers: unknown[] = Array.from(value as ArrayLike<unknown>)
  if (!numbers.every((each) => Number.isFinite(each)))
    throw new ValidationError('vector', 'must hold finite numbers alone')
  return numbers as number[]
}

function namespacesOf(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > MAX_NAMESPACES)
    throw new ValidationError('namespaces', `must be an array of at most ${MAX_NAMESPACES}`)
  return [...new Set(value.map((namespace, i) => checkId(namespace, `namespaces[${i}]`)))]
}

/** Checks and copies a query before anything is read. */
export function checkContext(query: ContextQuery): CheckedContext {
  checkNames(query, NAMES, 'query')
  const { conversationId, text } = query
  const userId = checkId(query.userId, 'userId')
  if (conversationId !== undefined) checkId(conversationId, 'conversationId')
  if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
  return {
    userId,
    conversationId: conversationId ?? null,
    text: text ?? null,
    vector: vectorOf(query.vector),
    mode: oneOf(query.mode, 'mode', MODES),
    strategy: oneOf(query.strategy, 'strategy', STRATEGIES) ?? 'mixed',
    maxTokens: whole(query.maxTokens, 'maxTokens', 4000, 1, MAX_TOKENS),
    maxMessages: whole(query.maxMessages, 'maxMessages', 50, 0, MAX_PAGE),
    maxMemories: whole(query.maxMemories, 'maxMemories', 10, 0, MAX_PAGE),
    maxDocuments: whole(query.maxDocuments, 'maxDocuments', 5, 0, MAX_PAGE),
    namespaces: namespacesOf(query.namespaces),
  }
}
