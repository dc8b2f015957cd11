import { ConflictError } from '../errors.js'

/** The longest id, in UTF-8 bytes. */
const MAX_ID = 255

/** A record's key, as receipts of operations name it. */
export interface TraceKey {
  readonly kind: string
  readonly key: readonly string[]
}

/** Whose a record is; empty where it is nobody's, undefined where it is gone. A message is its conversation's. */
export type Holders = (kind: string, id: string, second?: string) => string | undefined

export const traceName = (kind: string, id: string, second = ''): string => JSON.stringify([kind, id, second])

export const holdersIn =
  (known: ReadonlyMap<string, string>): Holders =>
  (kind, id, second) =>
    known.get(traceName(kind === 'message' ? 'conversation' : kind, id, kind === 'document' ? second : undefined))

const isKey = (value: unknown): value is TraceKey =>
  typeof (value as TraceKey | null)?.kind === 'string' && Array.isArray((value as TraceKey).key)

export const keysIn = (records: unknown): TraceKey[] => (Array.isArray(records) ? records.filter(isKey) : [])

/** Whether any names a record of the user, or one that is gone and may have been. */
export const namesErased = (holders: Holders, userId: string, keys: readonly TraceKey[]): boolean =>
  keys.some(({ kind, key }) => {
    const [id = '', second] = key.map(String)
    const holder = holders(kind, id, second)
    return holder === undefined || holder === userId
  })

/** Every text in some JSON that can be an id. */
export function idsIn(text: string): string[] {
  const found = new Set<string>()
  const walk = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value !== '' && Buffer.byteLength(value) <= MAX_ID) found.add(value)
    } else if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) walk(each)
  }
  try {
    walk(JSON.parse(text))
  } catch {
    // Nobody can read it: what it names is not known.
  }
  return [...found]
}

const HELD = ['user', 'conversation', 'session', 'memory']

/** What some ids may be the keys of. */
export const keysOfIds = (ids: readonly string[]): TraceKey[] =>
  ids.flatMap((id) => HELD.map((kind) => ({ kind, key: [id] })))

/** Who has entries of a journal that name nobody who is known. */
export const HAND_BACK = 'the hand-back of an outage'

/** What an erasure found in a journal. */
export interface JournalTraces {
  /** Entries of the user. */
  found: number
  /** Those that go. */
  going: number
  /** Entries that others' records need too, and that have not been handed back yet. */
  shared: number
  /** Entries that name nobody who is known: whose they are cannot be told. */
  unknown: number
}

export const noTraces = (): JournalTraces => ({ found: 0, going: 0, shared: 0, unknown: 0 })

/** Counts an entry of a journal. Answers whether an erasure of the user removes it. */
export function countEntry(
  traces: JournalTraces,
  ids: readonly string[],
  holders: Holders,
  { userId, state }: { readonly userId: string; readonly state: string },
): boolean {
  const named = new Set(keysOfIds(ids).map(({ kind, key }) => holders(kind, key[0] as string)))
  named.delete(undefined)
  const theirs = named.delete(userId) || ids.includes(userId)
  if (!theirs) {
    if (named.size === 0) traces.unknown++
    return false
  }
  traces.found++
  const shared = named.size > 0 && ['waiting', 'done'].includes(state)
  if (shared) traces.shared++
  else traces.going++
  return !shared
}

/** Half of such an entry cannot be removed, and without the records it would not be known any more whose it is. */
export function checkShared({ shared }: JournalTraces): void {
  if (shared > 0)
    throw new ConflictError(
      `${shared} writes of an outage are of this user and of others, and wait to be handed back: hand them back, then erase again`,
    )
}
