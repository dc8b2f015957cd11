import * as v from 'valibot'
import type { ContextQuery, ContextStrategy } from '../contract/context.js'
import type { SearchMode } from '../contract/search.js'
import { checkNames } from '../model/page-options.js'
import { id, type ObjectSchema, parse, whole } from '../model/parse.js'
import { MAX_PAGE } from '../options.js'

const MAX_TOKENS = 1_000_000
const MAX_NAMESPACES = 100

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
const STRATEGIES = Object.keys(SHARES) as ContextStrategy[]

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

// How many numbers there must be is for the search to say, which knows the store's vectors.
function isVector(value: unknown): boolean {
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && 'length' in value)) return false
  const numbers = value as ArrayLike<unknown>
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return false
  return numbers.length > 0
}

const schema = v.strictObject({
  userId: id,
  conversationId: v.optional(id),
  text: v.optional(v.string()),
  vector: v.optional(v.pipe(v.unknown(), v.check(isVector, 'must be an array of finite numbers, not empty'))),
  mode: v.optional(v.picklist(['text', 'vector', 'hybrid'])),
  strategy: v.optional(v.picklist(STRATEGIES)),
  maxTokens: v.optional(whole(1, MAX_TOKENS)),
  maxMessages: v.optional(whole(0, MAX_PAGE)),
  maxMemories: v.optional(whole(0, MAX_PAGE)),
  maxDocuments: v.optional(whole(0, MAX_PAGE)),
  namespaces: v.optional(
    v.pipe(v.array(id), v.maxLength(MAX_NAMESPACES, `must be an array of at most ${MAX_NAMESPACES}`)),
  ),
})
const NAMES = Object.keys(schema.entries)

/** Checks and copies a query before anything is read. */
export function checkContext(query: ContextQuery): CheckedContext {
  checkNames(query, NAMES, 'query')
  const { vector, namespaces, ...given } = parse(schema as unknown as ObjectSchema<ContextQuery>, query, '')
  const { conversationId = null, text = null, mode = null, strategy = 'mixed' } = given
  const { maxTokens = 4000, maxMessages = 50, maxMemories = 10, maxDocuments = 5 } = given
  return {
    userId: given.userId,
    conversationId,
    text,
    // A copy, so that it does not change while something is read.
    vector: vector === undefined ? null : Array.from(vector),
    mode,
    strategy,
    maxTokens,
    maxMessages,
    maxMemories,
    maxDocuments,
    namespaces: [...new Set(namespaces)],
  }
}
