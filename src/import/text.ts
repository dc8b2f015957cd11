import { isUtf8 } from 'node:buffer'
import { ValidationError } from '../errors.js'

/** The error as one about the record that was read; any other is thrown on. */
export function aboutRecord(error: unknown, field: string): ValidationError {
  if (error instanceof ValidationError) return error
  // JSON nested some ten thousand levels deep ends the recursion of whoever walks it; 1e999 is read as infinite.
  if (error instanceof RangeError) return new ValidationError(field, 'is nested too deeply or holds a number too large')
  throw error
}

/**
 * Parses bytes as JSON. Bytes that are not UTF-8 would be replaced in silence; the parser's own message quotes the
 * text: both become a reason without content.
 */
export function parseJson(bytes: Buffer, field: string): unknown {
  if (!isUtf8(bytes)) throw new ValidationError(field, 'is not UTF-8 text')
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    const found =
      error instanceof Error ? / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(error.message)?.[1] : undefined
    throw new ValidationError(
      field,
      found === undefined ? 'is not JSON' : `is not JSON (at character ${Number(found) + 1})`,
    )
  }
}

const INSTANT = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)$/

/** An instant given as a string with an offset or as milliseconds. Without an offset it would mean another time elsewhere. */
export function parseInstant(value: unknown, field: string): Date {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new ValidationError(field, 'must be whole milliseconds')
    return new Date(value)
  }
  if (typeof value !== 'string' || !INSTANT.test(value))
    throw new ValidationError(
      field,
      'must be an instant with an offset, such as 2026-01-31T12:00:00+01:00, or milliseconds',
    )
  const [date = '', rest = ''] = value.split(/[Tt ]/)
  const normal = `${date}T${rest
    .toUpperCase()
    .replace(/(\.\d{3})\d+/, '$1')
    .replace(/([+-]\d\d)(\d\d)$/, '$1:$2')}`
  const instant = new Date(normal)
  // `2026-02-30` would be read as the second of March.
  const day = Number(date.slice(8))
  const lastDay = new Date(Date.UTC(Number(date.slice(0, 4)), Number(date.slice(5, 7)), 0)).getUTCDate()
  if (Number.isNaN(instant.getTime()) || day > lastDay)
    throw new ValidationError(field, 'is not a date of the calendar')
  return instant
}
