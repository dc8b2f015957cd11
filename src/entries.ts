import { ConfigurationError } from './errors.js'
import { findKind, type Kind } from './registry.js'

/** A backend of several, as it was named. */
export interface Entry {
  readonly backend: string
  readonly known: readonly string[]
  readonly knows: (name: string, value: unknown) => boolean
  readonly own: Readonly<Record<string, unknown>>
}

/**
 * @param name What it is called in an error.
 * @throws ConfigurationError for an unknown name or URL, with the nearest known one.
 */
export function entryOf(given: unknown, name: string): Entry {
  const object = typeof given === 'string' ? { backend: given } : given
  if (typeof object !== 'object' || object === null || typeof (object as { backend?: unknown }).backend !== 'string')
    throw new ConfigurationError(`${name} must be a name, a URL or an object with one of them as \`backend\``)
  const { backend, ...own } = object as { backend: string }
  const { kind } = findKind(backend)
  const known = Object.keys(kind.schema.entries)
  return { backend, known, knows: (name, value) => known.includes(name) || isSpelling(kind, name, value), own }
}

/** Whether it is another name of an option, by itself: one that needs others beside it is for an entry's own. */
function isSpelling({ spelled, schema }: Kind, name: string, value: unknown): boolean {
  try {
    const names = Object.keys(spelled?.({ [name]: value }) ?? {})
    return names.length === 1 && names[0] !== name && Object.hasOwn(schema.entries, names[0] as string)
  } catch (error) {
    if (error instanceof ConfigurationError) return false
    throw error
  }
}

/** The shared options that a kind of backend knows. */
export const knownOf = (shared: object, { knows }: Entry): object =>
  Object.fromEntries(Object.entries(shared).filter(([name, value]) => knows(name, value)))
