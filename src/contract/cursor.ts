import { ValidationError } from '../errors.js'

/** FNV-1a, 32 bits: enough to tell a cursor of another listing from one of this. */
function mark(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

type Part = 'number' | 'string'
type Values<P extends readonly Part[]> = { [I in keyof P]: P[I] extends 'number' ? number : string }

/** The cursors of one listing, such as the messages of one conversation: opaque text around the sort key. */
export interface CursorCodec<P extends readonly Part[]> {
  encode(...values: Values<P>): string
  /** `ValidationError` for a text that is not a cursor of this listing. */
  decode(cursor: unknown, field: string): Values<P>
}

export function cursors<const P extends readonly Part[]>(listing: string, parts: P): CursorCodec<P> {
  const tag = mark(listing)
  return {
    encode: (...values) => Buffer.from(JSON.stringify([tag, ...values])).toString('base64url'),
    decode(cursor, field) {
      const values = read(cursor)
      if (values[0] !== tag || values.length !== parts.length + 1 || parts.some((p, i) => typeof values[i + 1] !== p))
        throw new ValidationError(field, 'is not a cursor of this listing')
      return values.slice(1) as Values<P>
    },
  }
}

function read(cursor: unknown): unknown[] {
  if (typeof cursor !== 'string' || cursor.length > 4096) return []
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(values) ? values : []
  } catch {
    return []
  }
}
