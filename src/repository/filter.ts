import { FILTER_KINDS, type Filter, type MetadataCondition } from '../contract/filter.js'
import { ValidationError } from '../errors.js'
import { childPath } from '../model/json.js'
import { checkFlag } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import { MEMORY_TYPES, ROLES, SEARCH_KINDS, type SearchKind } from '../model/records.js'
import { instantProblem, textProblem } from '../model/text.js'

const FRACTIONS = ['minImportance', 'minConfidence'] as const
const IDS = ['userId', 'conversationId', 'namespace'] as const
const MAX_FILTER_VALUES = 1000
const MAX_FILTER_KEYS = 100
const OPERATORS = ['in', 'gt', 'gte', 'lt', 'lte']

export function checkList(value: unknown, field: string, known: readonly string[] | null): void {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_FILTER_VALUES)
    throw new ValidationError(field, `must be an array of 1 to ${MAX_FILTER_VALUES}`)
  value.forEach((item, i) => {
    if (known === null) checkId(item, `${field}[${i}]`)
    else if (!known.includes(item)) throw new ValidationError(`${field}[${i}]`, `must be one of ${known.join(', ')}`)
  })
}

function checkScalar(value: unknown, field: string): void {
  if (typeof value === 'string') {
    const problem = textProblem(value, 65536)
    if (problem) throw new ValidationError(field, problem)
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new ValidationError(field, 'must be a finite number')
  } else if (value !== null && typeof value !== 'boolean')
    throw new ValidationError(field, 'must be a string, a number, true, false or null')
}

function checkCondition(condition: MetadataCondition, field: string): void {
  if (typeof condition !== 'object' || condition === null) {
    checkScalar(condition, field)
    return
  }
  const entries = Object.entries(condition).filter(([, operand]) => operand !== undefined)
  if (entries.length === 0) throw new ValidationError(field, `must have one of ${OPERATORS.join(', ')}`)
  for (const [operator, operand] of entries) {
    const path = childPath(field, operator)
    if (!OPERATORS.includes(operator))
      throw new ValidationError(path, `is not known; known are ${OPERATORS.join(', ')}`)
    if (operator === 'in') {
      if (!Array.isArray(operand) || operand.length > MAX_FILTER_VALUES)
        throw new ValidationError(path, `must be an array of at most ${MAX_FILTER_VALUES}`)
      for (const [i, item] of operand.entries()) checkScalar(item, `${path}[${i}]`)
    } else if (typeof operand !== 'string' && typeof operand !== 'number')
      throw new ValidationError(path, 'must be a string or a number')
    else checkScalar(operand, path)
  }
}

/** Checks every filter that is given; which names may be given is the verb's to say. */
export function checkFilter(filter: Filter): void {
  for (const field of IDS) if (filter[field] !== undefined) checkId(filter[field], field)
  if (filter.category !== undefined) {
    const problem = typeof filter.category === 'string' ? textProblem(filter.category, 65536) : 'must be a string'
    if (problem) throw new ValidationError('category', problem)
  }
  if (filter.roles !== undefined) checkList(filter.roles, 'roles', ROLES)
  if (filter.types !== undefined) checkList(filter.types, 'types', MEMORY_TYPES)
  if (filter.tags !== undefined) checkList(filter.tags, 'tags', null)
  if (filter.tagsMatch !== undefined && filter.tagsMatch !== 'any' && filter.tagsMatch !== 'all')
    throw new ValidationError('tagsMatch', 'must be any or all')
  for (const field of FRACTIONS) {
    const value = filter[field]
    if (value !== undefined && !(typeof value === 'number' && value >= 0 && value <= 1))
      throw new ValidationError(field, 'must be a number from 0 to 1')
  }
  for (const field of ['from', 'to'] as const) {
    const value = filter[field]
    if (value === undefined) continue
    const problem = value instanceof Date ? instantProblem(value) : 'must be a Date'
    if (problem) throw new ValidationError(field, problem)
  }
  checkFlag(filter.includeExpired, 'includeExpired')
  checkMetadata(filter.metadata)
}

function checkMetadata(metadata: unknown): void {
  if (metadata === undefined) return
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new ValidationError('metadata', 'must be an object of conditions')
  const entries = Object.entries(metadata)
  if (entries.length > MAX_FILTER_KEYS)
    throw new ValidationError('metadata', `must have at most ${MAX_FILTER_KEYS} conditions`)
  for (const [key, condition] of entries) {
    const path = childPath('metadata', key)
    const problem = textProblem(key, 65536)
    if (problem) throw new ValidationError(path, problem)
    checkCondition(condition as MetadataCondition, path)
  }
}

/** The kinds to search: those that know every filter given; asking another one is an error. */
export function searchKinds(filter: Filter, kinds: readonly SearchKind[] | undefined): readonly SearchKind[] {
  if (kinds !== undefined) checkList(kinds, 'kinds', SEARCH_KINDS)
  let fitting: readonly SearchKind[] = SEARCH_KINDS
  for (const [name, known] of Object.entries(FILTER_KINDS) as [keyof Filter, readonly SearchKind[]][]) {
    if (filter[name] === undefined) continue
    const wrong = kinds?.find((kind) => !known.includes(kind))
    if (wrong) throw new ValidationError(name, `cannot be asked of a ${wrong}`)
    fitting = fitting.filter((kind) => known.includes(kind))
  }
  if (fitting.length === 0) throw new ValidationError('kinds', 'no kind of record knows all of these filters')
  return kinds ?? fitting
}

/** Names of `Filter`, for the verbs that take one. */
export const FILTER_NAMES = Object.keys(FILTER_KINDS)
