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

/**
 * What an erasure does with an entry of a journal. One of a user that another user's records need too, for it has not
 * been handed back yet, stays: hand back first, then erase again.
 */
export function entryVerdict(
  ids: readonly string[],
  holders: Holders,
  { userId, state }: { readonly userId: string; readonly state: string },
): 'not theirs' | 'goes' | 'stays' {
  const named = new Set(keysOfIds(ids).map(({ kind, key }) => holders(kind, key[0] as string)))
  if (!named.has(userId) && !ids.includes(userId)) return 'not theirs'
  named.delete(undefined)
  named.delete(userId)
  return named.size === 0 || !['waiting', 'done'].includes(state) ? 'goes' : 'stays'
}
