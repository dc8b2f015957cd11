import type { TransferRange } from '../../contract/transfer.js'
import { ValidationError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'

/** How far a reading is: a place, and a key in it; null: behind its last one. */
export type Mark = readonly [place: string, key: string | null]

export const markText = (mark: Mark): string => JSON.stringify(mark)

/** @throws ValidationError where the text is no mark. */
export function readMark(text: string | null, field: string): Mark | null {
  if (text === null) return null
  let mark: unknown
  try {
    mark = JSON.parse(text)
  } catch {
    mark = null
  }
  if (Array.isArray(mark) && mark.length === 2 && typeof mark[0] === 'string')
    if (mark[1] === null || typeof mark[1] === 'string') return [mark[0], mark[1]]
  throw new ValidationError(field, 'is no place in this store')
}

/** Every key is smaller or larger than this one: keys are hashes, so that equal parts of their numbers hold equal parts of them. */
function cut(part: number, parts: number): string {
  const digits = Math.floor((part / parts) * 2 ** 48)
    .toString(16)
    .padStart(12, '0')
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`
}

/** Parts of some places, in the order in which these are read: one that is large is cut, small ones stand together. */
export function planRanges(
  kind: SearchKind,
  places: readonly { readonly name: string; readonly count: number }[],
  most: number,
): TransferRange[] {
  const ranges: TransferRange[] = []
  let from: string | null = null
  let held = 0
  let last = ''
  const close = (to: Mark): void => {
    const text = markText(to)
    ranges.push({ kind, from, to: text, records: held })
    from = text
    held = 0
  }
  for (const { name, count } of places.filter((place) => place.count > 0)) {
    if (held > 0 && held + count > most) close([last, null])
    const parts = Math.ceil(count / most)
    for (let part = 1; part < parts; part++) {
      held = Math.round(count / parts)
      close([name, cut(part, parts)])
    }
    held += Math.round(count / parts)
    last = name
  }
  if (held > 0) ranges.push({ kind, from, to: null, records: held })
  return ranges
}
