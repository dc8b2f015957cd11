import { ValidationError } from '../errors.js'
import { MAX_PAGE } from '../options.js'
import { suggestion } from './parse.js'

/** Refuses option names that the verb does not know, with the nearest one it does. */
export function checkNames(options: unknown, known: readonly string[], field = 'options'): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ValidationError(field, options === undefined ? 'is required' : 'must be an object')
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new ValidationError(name, `is not a known field of ${field}${suggestion(name, known)}`)
}

export function checkLimit(limit: unknown, field: string, fallback: number): number {
  if (limit === undefined) return fallback
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE)
    throw new ValidationError(field, `must be an integer from 1 to ${MAX_PAGE}`)
  return limit
}

export function checkFlag(value: unknown, field: string): boolean {
  if (value === undefined) return false
  if (typeof value !== 'boolean') throw new ValidationError(field, 'must be true or false')
  return value
}

export interface Window {
  readonly limit: number
  /** The cursor to start from, or null for an end of the listing. */
  readonly cursor: string | null
  readonly field: 'before' | 'after'
  /** Whether rows are wanted against the listing's order, from its far end or from `before`. */
  readonly backward: boolean
}

/** What part of a listing is wanted. */
export function pageWindow(options: { before?: unknown; after?: unknown; limit?: unknown }): Window {
  const { before, after } = options
  if (before !== undefined && after !== undefined)
    throw new ValidationError('before', 'cannot be given together with after')
  const limit = checkLimit(options.limit, 'limit', 50)
  const cursor = (before ?? after ?? null) as string | null
  return { limit, cursor, field: before === undefined ? 'after' : 'before', backward: before !== undefined }
}
