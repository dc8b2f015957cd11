import { closest, distance } from 'fastest-levenshtein'
import * as v from 'valibot'
import { ConfigurationError, ValidationError } from '../errors.js'
import { childPath } from './json.js'
import { idProblem, instantProblem, textProblem } from './text.js'

type Issue = v.BaseIssue<unknown>

/** `messages[3].content` from valibot's path. */
function pathOf(issue: Issue, root: string): string {
  let path = root
  for (const part of issue.path ?? []) {
    if (typeof part.key === 'number') path += `[${part.key}]`
    else path = path === '' ? String(part.key) : childPath(path, String(part.key))
  }
  return path === '' ? 'input' : path
}

/** ", did you mean x?" for a name that is nearly a known one. */
export function suggestion(name: string, known: readonly string[]): string {
  if (known.length === 0) return ''
  const lower = name.toLowerCase()
  const nearest = known.find((each) => each.toLowerCase() === lower) ?? closest(name, [...known])
  return distance(lower, nearest.toLowerCase()) <= Math.max(2, Math.floor(name.length / 3))
    ? `, did you mean "${nearest}"?`
    : ''
}

// Valibot's own messages quote what was received, which may be content: only its `expected` is used.
function problemOf(issue: Issue, known: readonly string[]): string {
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const last = issue.path?.at(-1)
    return `is not a known field${suggestion(String(last?.key ?? ''), known)}`
  }
  // Its message is always our own.
  if (issue.type === 'custom') return issue.message
  if (issue.kind === 'schema') return issue.received === 'undefined' ? 'is required' : `must be ${describe(issue)}`
  return issue.message
}

function describe(issue: Issue): string {
  if (issue.type === 'date') return 'a valid Date'
  const expected = issue.expected ?? 'valid'
  return expected.startsWith('(')
    ? `one of ${expected.slice(1, -1)}`
    : `a ${expected.toLowerCase()}`.replace(/^a (?=[aeio])/, 'an ')
}

export type ObjectSchema<T> = v.GenericSchema<unknown, T> & { readonly entries: Readonly<Record<string, unknown>> }

/** Checks and copies an input object; the first problem becomes a `ValidationError` with its path. */
export function parse<T>(schema: ObjectSchema<T>, input: unknown, root: string): T {
  if (Array.isArray(input)) throw new ValidationError(root || 'input', 'must be an object')
  const result = v.safeParse(schema, input, { abortEarly: true })
  if (result.success) return withoutUndefined(result.output)
  const [issue] = result.issues
  throw new ValidationError(pathOf(issue, root), problemOf(issue, Object.keys(schema.entries)))
}

/** A property that is undefined is as absent: it must not replace a default or a stored value. */
function withoutUndefined<T>(output: T): T {
  const fields = output as Record<string, unknown>
  for (const name in fields) if (fields[name] === undefined) delete fields[name]
  return output
}

/** The same for options, where a wrong name is a mistake in the program's configuration. */
export function parseOptions<T>(schema: ObjectSchema<T>, input: unknown): T {
  const result = v.safeParse(schema, input, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const unknown = issue.type === 'strict_object' && issue.expected === 'never'
  throw new ConfigurationError(
    `${unknown ? 'option ' : ''}${pathOf(issue, '')}: ${problemOf(issue, Object.keys(schema.entries))}`,
  )
}

const problem = (test: (value: string) => string | null) =>
  v.rawCheck<string>(({ dataset, addIssue }) => {
    const found = dataset.typed ? test(dataset.value) : null
    if (found) addIssue({ message: found })
  })

export const id = v.pipe(v.string(), problem(idProblem))
export const textOf = (maxBytes: number) =>
  v.pipe(
    v.string(),
    problem((s) => textProblem(s, maxBytes)),
  )
export const instant = v.pipe(
  v.date(),
  v.rawCheck(({ dataset, addIssue }) => {
    const found = dataset.typed ? instantProblem(dataset.value) : null
    if (found) addIssue({ message: found })
  }),
  // A Date can be changed by whoever holds it.
  v.transform((d) => new Date(d.getTime())),
)
export const fraction = v.pipe(
  v.number(),
  v.check((n) => n >= 0 && n <= 1, 'must be between 0 and 1'),
  v.transform((n) => (n === 0 ? 0 : n)),
)
export const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  v.pipe(
    v.number(),
    v.check(
      (n) => Number.isSafeInteger(n) && n >= min && n <= max,
      max === Number.MAX_SAFE_INTEGER
        ? `must be a safe integer of at least ${min}`
        : `must be an integer from ${min} to ${max}`,
    ),
  )

/** A single id argument, such as `conversationId`. */
export function checkId(value: unknown, field: string): string {
  if (typeof value !== 'string')
    throw new ValidationError(field, value === undefined ? 'is required' : 'must be a string')
  const found = idProblem(value)
  if (found) throw new ValidationError(field, found)
  return value
}
