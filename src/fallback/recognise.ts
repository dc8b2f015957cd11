import type { UnitScope } from '../contract/backend.js'
import { BrunoMemoryError, ConflictError, NotFoundError } from '../errors.js'
import { canonicalJson } from '../model/canonical.js'
import { encode } from '../unit/encode.js'
import type { Act } from './entry.js'
import type { Method } from './verbs.js'

type Fields = Readonly<Record<string, unknown>>

/** Given in another form than it is stored in, or no part of the record. */
const PASSED_OVER = ['vector', 'createdAt', 'updatedAt', 'startedAt', 'branchedFrom']

const text = (value: unknown): string => canonicalJson(encode(value))

/** Whether a stored record is what was given; a field that was not given may be anything. */
function isSame(given: Fields, stored: unknown): boolean {
  if (typeof stored !== 'object' || stored === null) return false
  const record = stored as Fields
  return Object.entries(given).every(
    ([name, value]) => value === undefined || PASSED_OVER.includes(name) || text(value) === text(record[name]),
  )
}

const many = (value: unknown): Fields[] => (Array.isArray(value) ? value : [value]) as Fields[]

/** The records that a verb made, as they are stored; null for a verb that makes none. */
function madeBy({
  repository,
  name,
  args,
}: Act): { readonly key: readonly unknown[]; readonly given: Fields }[] | null {
  const [a, b, c] = args as [unknown, unknown, Fields | undefined]
  if (name === 'append') return many(b).map((given) => ({ key: [a, given.id], given }))
  if (name === 'branch') return [{ key: [c?.id], given: { id: c?.id } }]
  if (name === 'create' || name === 'add' || name === 'addMany')
    return many(a).map((given) => ({ key: [given.id], given }))
  return repository === 'documents' ? [] : null
}

/** Whether the refusal says that the verb was stored before, when its answer was lost. */
export async function isThere(scope: UnitScope, act: Act, refusal: unknown): Promise<boolean> {
  if (!(refusal instanceof BrunoMemoryError) || refusal.retryable) return false
  if (refusal instanceof NotFoundError) return act.name === 'delete'
  if (!(refusal instanceof ConflictError)) return false
  const repository = scope[act.repository] as unknown as { get: Method }
  if (act.name === 'update') return isUpdated(repository, act)
  const made = madeBy(act)
  if (!made?.length) return false
  for (const { key, given } of made) if (!isSame(given, await repository.get(...key))) return false
  return true
}

async function isUpdated(repository: { get: Method }, { repository: name, args }: Act): Promise<boolean> {
  const key = args.slice(0, name === 'messages' ? 2 : 1)
  const [patch, options] = args.slice(key.length) as [Fields, { version?: number } | undefined]
  const stored = await repository.get(...key)
  if (typeof stored !== 'object' || stored === null || options?.version === undefined) return false
  return (stored as { version: number }).version === options.version + 1 && holds(stored as Fields, patch)
}

/** Objects are merged one level deep. */
function holds(stored: Fields, patch: Fields): boolean {
  return Object.entries(patch).every(([name, value]) => {
    const now = stored[name]
    const merged = [value, now].every((each) => typeof each === 'object' && each !== null && !Array.isArray(each))
    return merged && !(value instanceof Date) ? isSame(value as Fields, now) : text(value) === text(now)
  })
}
