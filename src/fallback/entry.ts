import type { OperationReceipt } from '../contract/memory.js'
import { StorageError } from '../errors.js'
import { decodeResult, encode } from '../unit/encode.js'
import { snapshot } from '../unit/snapshot.js'
import type { RepositoryName } from './verbs.js'

/** One verb, with its arguments as they were given and the ids filled in. */
export interface Act {
  readonly repository: RepositoryName
  readonly name: string
  readonly args: readonly unknown[]
}

/** A user or conversation that a verb made beside what it was asked for. */
export interface Made {
  readonly kind: 'user' | 'conversation'
  readonly id: string
}

/** The caller's own operation. */
export interface EntryOperation {
  readonly id: string
  readonly fingerprint: string | null
  readonly result: string | null
  readonly records: OperationReceipt['records']
}

/** What an entry did: all of it, or nothing. */
export interface What {
  readonly acts: readonly Act[]
  readonly made: readonly Made[]
  readonly operation?: EntryOperation | undefined
}

/** Arguments as plain data that nobody else holds; an instance of a caller's class as the checks at the door read it. */
export const plainArguments = (args: readonly unknown[]): unknown[] =>
  args.map((arg) => (Array.isArray(arg) ? arg.map(plain) : plain(arg)))

function plain(value: unknown): unknown {
  const copy = snapshot(value)
  if (copy !== value || typeof value !== 'object' || value === null) return copy
  const own: Record<string, unknown> = {}
  for (const key in value) own[key] = snapshot((value as Record<string, unknown>)[key])
  return own
}

export const writeWhat = (what: What): string => JSON.stringify(encode(what))

/** @throws StorageError where it cannot be read. */
export function readWhat(text: string): What {
  try {
    const what = decodeResult(text) as What
    if (Array.isArray(what.acts) && Array.isArray(what.made)) return what
  } catch {
    // A JSON error quotes the text: it must not become the cause.
  }
  throw new StorageError('an entry of the journal cannot be read')
}
