import type { Filter } from '../contract/filter.js'
import type { SearchFactors, SearchMode, SearchQuery, SearchWeights } from '../contract/search.js'
import { ValidationError } from '../errors.js'
import { checkFlag, checkLimit, checkNames } from '../model/page-options.js'
import type { SearchKind } from '../model/records.js'
import { checkFilter, FILTER_NAMES, searchKinds } from './filter.js'

const NAMES = [
  'text',
  'vector',
  'mode',
  'kinds',
  'limit',
  'minScore',
  'candidates',
  'neighbours',
  'exact',
  'weights',
  'factors',
  'rerank',
  'explain',
  ...FILTER_NAMES,
]
const MODES = ['text', 'vector', 'hybrid']
const MAX_CANDIDATES = 10_000
/** Twice as many where two parts are fused: what one ranks low the other may lift. */
const CANDIDATES: { readonly [M in SearchMode]: number } = { text: 50, vector: 100, hybrid: 100 }
const DAY = 86_400_000

/** Factors with everything decided; the half-life in milliseconds. */
export interface CheckedFactors {
  readonly recency: number
  readonly halfLife: number
  readonly importance: number
}

/** A query with everything decided. */
export interface CheckedQuery {
  readonly text: string
  readonly vector: ArrayLike<number> | null
  readonly mode: SearchMode
  readonly kinds: readonly SearchKind[]
  readonly limit: number
  readonly minScore: number
  readonly candidates: number
  readonly neighbours: boolean
  readonly exact: boolean
  readonly weights: { readonly text: number; readonly vector: number }
  readonly factors: CheckedFactors | null
  readonly rerank: boolean
  readonly explain: boolean
  readonly filter: Filter
}

function number(value: unknown, field: string, fallback: number, least: number, most: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw new ValidationError(field, `must be a number from ${least} to ${most}`)
  return value
}

export function checkWeights(weights: SearchWeights | undefined, defaults: { text: number; vector: number }) {
  if (weights === undefined) return defaults
  checkNames(weights, ['text', 'vector'], 'weights')
  const text = number(weights.text, 'weights.text', defaults.text, 0, 1000)
  const vector = number(weights.vector, 'weights.vector', defaults.vector, 0, 1000)
  if (text + vector <= 0) throw new ValidationError('weights', 'must not both be 0')
  return { text, vector }
}

function checkFactors(factors: SearchFactors | undefined): CheckedQuery['factors'] {
  if (factors === undefined) return null
  checkNames(factors, ['recency', 'halfLife', 'importance'], 'factors')
  return {
    recency: number(factors.recency, 'factors.recency', 0, 0, 1),
    halfLife: number(factors.halfLife, 'factors.halfLife', 30, 0.001, 100_000) * DAY,
    importance: number(factors.importance, 'factors.importance', 0, 0, 1),
  }
}

function checkQuestion(query: SearchQuery, usual: SearchMode): { text: string; mode: SearchMode } {
  const { text, vector, mode = usual } = query
  if (!MODES.includes(mode)) throw new ValidationError('mode', 'must be text, vector or hybrid')
  if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
  if (text === undefined && (mode !== 'vector' || vector === undefined))
    throw new ValidationError('text', mode === 'vector' ? 'is required where no vector is given' : 'is required')
  return { text: text ?? '', mode }
}

/**
 * Checks a query before anything is read.
 *
 * @param usual The mode of a query that names none.
 */
export function checkQuery(
  query: SearchQuery,
  weights: { text: number; vector: number },
  usual: SearchMode = 'text',
): CheckedQuery {
  checkNames(query, NAMES, 'query')
  const { text: _t, vector, mode: _m, kinds, limit: wanted, explain, minScore, candidates, ...rest } = query
  const { neighbours, exact, weights: given, factors, rerank, ...filter } = rest
  const question = checkQuestion(query, usual)
  const limit = checkLimit(wanted, 'limit', 10)
  checkFilter(filter)
  if (candidates !== undefined && !(Number.isInteger(candidates) && candidates >= 1 && candidates <= MAX_CANDIDATES))
    throw new ValidationError('candidates', `must be an integer from 1 to ${MAX_CANDIDATES}`)
  return {
    ...question,
    vector: vector ?? null,
    kinds: searchKinds(filter, kinds),
    limit,
    minScore: number(minScore, 'minScore', 0, 0, 1),
    candidates: Math.max(limit, candidates ?? CANDIDATES[question.mode]),
    neighbours: neighbours === undefined || checkFlag(neighbours, 'neighbours'),
    exact: checkFlag(exact, 'exact'),
    weights: checkWeights(given, weights),
    factors: checkFactors(factors),
    rerank: rerank === undefined || checkFlag(rerank, 'rerank'),
    explain: checkFlag(explain, 'explain'),
    filter,
  }
}
