import type { Window } from '../../model/page-options.js'
import { beyond, FIRST, LAST } from './order.js'
import type { Transaction } from './transaction.js'

const LARGEST = 1000

/** What members of a listing stand for; null for one that does not show. */
type Load<R> = (members: readonly string[]) => Promise<readonly (R | null)[]>

interface Scan {
  readonly key: string
  readonly limit: number
  /** Behind the largest down, or from the smallest up. */
  readonly reverse: boolean
  /** The member that it starts behind, or null for an end of the listing. */
  readonly edge: string | null
  /** A bound below which nothing is wanted. */
  readonly low?: string
}

/** The first records of a listing that show, and one more where there are more. */
export async function scan<R>(
  tx: Transaction,
  { key, limit, reverse, edge, low = FIRST }: Scan,
  load: Load<R>,
): Promise<R[]> {
  const found: R[] = []
  let at = edge
  for (let size = limit + 1; ; size = Math.min(size * 2, LARGEST)) {
    const bound = at === null ? null : beyond(at)
    const range = reverse ? { min: low, max: bound ?? LAST } : { min: bound ?? low, max: LAST }
    const members = await tx.range(key, { ...range, limit: size, reverse })
    for (const record of await load(members)) if (record !== null && found.push(record) > limit) return found
    if (members.length < size) return found
    at = members[members.length - 1] as string
  }
}

/** Every member of a listing, in batches. */
export async function* batches(tx: Transaction, key: string, size = 500): AsyncGenerator<string[]> {
  let at: string | null = null
  for (;;) {
    const members: string[] = await tx.range(key, { min: at === null ? FIRST : beyond(at), max: LAST, limit: size })
    if (members.length > 0) yield members
    if (members.length < size) return
    at = members[members.length - 1] as string
  }
}

/** How a listing that is told newest first is read for a window. */
export const newestFirst = (window: Window, edge: string | null): Omit<Scan, 'key'> => ({
  limit: window.limit,
  reverse: !window.backward,
  edge,
})
