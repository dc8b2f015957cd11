import { type Field, RECORD_FIELDS } from '../model/fields.js'
import { instantProblem, textProblem } from '../model/text.js'
import type { ArchiveEntry } from './record.js'

const LISTS = new Set(['tags', 'relatedIds', 'parts'])
const FRACTIONS = new Set(['confidence', 'importance'])

const isPlain = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const problemOf = (text: string): string | null => textProblem(text, Number.POSITIVE_INFINITY)

/** The first thing in a JSON value that cannot be kept. */
function jsonProblem(value: unknown): string | null {
  if (typeof value === 'string') return problemOf(value)
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'must hold finite numbers'
  if (value === null || typeof value === 'boolean') return null
  if (typeof value !== 'object') return 'must be JSON'
  for (const [key, item] of Object.entries(value)) {
    const problem = problemOf(key) ?? jsonProblem(item)
    if (problem) return problem
  }
  return null
}

function listProblem(name: string, value: unknown): string | null {
  const fits = LISTS.has(name) ? Array.isArray(value) : isPlain(value)
  return fits ? jsonProblem(value) : `must be ${LISTS.has(name) ? 'a list' : 'an object'}`
}

function fieldProblem({ name, type, nullable, later }: Field, value: unknown): string | null {
  if (value === null || (later && value === undefined)) return nullable ? null : 'must not be null'
  if (value === undefined) return 'is required'
  if (type === 'text') return typeof value === 'string' ? problemOf(value) : 'must be a string'
  if (type === 'instant') return value instanceof Date ? instantProblem(value) : 'must be an instant'
  if (type === 'json') return listProblem(name, value)
  const fits = FRACTIONS.has(name) ? Number.isFinite(value) : Number.isSafeInteger(value)
  return fits ? null : `must be a ${FRACTIONS.has(name) ? 'finite number' : 'safe integer'}`
}

/** Why something is no record of its kind: a field and a rule. */
export function faultOf({ kind, record }: ArchiveEntry): string | null {
  try {
    for (const field of RECORD_FIELDS[kind] as readonly Field[]) {
      const problem = fieldProblem(field, (record as unknown as Record<string, unknown>)[field.name])
      if (problem) return `${field.name}: ${problem}`
    }
    return null
  } catch (error) {
    // JSON nested some ten thousand levels deep ends the recursion.
    if (error instanceof RangeError) return 'record: is nested too deeply'
    throw error
  }
}
