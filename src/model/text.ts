import { MAX_ID_BYTES } from '../options.js'

/** At most three UTF-8 bytes per UTF-16 unit: short strings need no counting. */
export const exceedsBytes = (text: string, max: number): boolean =>
  text.length > max || (text.length * 3 > max && Buffer.byteLength(text) > max)

/**
 * What is wrong with a text, or null. A lone surrogate is stored as invalid UTF-8 by SQLite and as U+FFFD by
 * PostgreSQL; a NUL ends the text for some functions of the one and is refused by the other.
 */
export function textProblem(text: string, maxBytes: number): string | null {
  if (exceedsBytes(text, maxBytes)) return `must be at most ${maxBytes} bytes of UTF-8`
  if (text.includes('\0')) return 'must not contain the NUL character'
  if (!text.isWellFormed()) return 'must be well-formed Unicode (it has a lone surrogate)'
  return null
}

/** Ids, tags, namespaces and tenants: any non-empty text of at most 255 bytes. */
export const idProblem = (id: string): string | null =>
  id === '' ? 'must not be empty' : textProblem(id, MAX_ID_BYTES)

const FIRST = Date.parse('0001-01-01T00:00:00Z')
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** Whether an instant lies in the years 1 to 9999, which every backend can hold. */
export function instantProblem(date: Date): string | null {
  const ms = date.getTime()
  return Number.isNaN(ms) || ms < FIRST || ms > LAST ? 'must be an instant in the years 1 to 9999' : null
}
