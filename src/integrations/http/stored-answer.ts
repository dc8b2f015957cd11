import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { HeldResponse } from './held-response.js'

/** An answer as it is kept with its operation. */
export interface StoredAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  /** Absent where it was too large to be kept. */
  readonly body?: { readonly text: string; readonly encoding: 'utf8' | 'base64' }
}

/** Bytes of JSON that are kept with an operation, with room for what encodes them. */
const MAX_KEPT = 60 * 1024

/** Of one connection or one caller, or made anew by whoever sends it. */
const NOT_KEPT = ['connection', 'content-length', 'date', 'keep-alive', 'set-cookie', 'transfer-encoding']

function bodyOf(bytes: Buffer): NonNullable<StoredAnswer['body']> {
  const text = bytes.toString('utf8')
  const isText = !text.includes('\0') && Buffer.from(text, 'utf8').equals(bytes)
  return isText ? { text, encoding: 'utf8' } : { text: bytes.toString('base64'), encoding: 'base64' }
}

/** What to keep of an answer, so that it can be given again. */
export function storedAnswer(held: HeldResponse): StoredAnswer {
  const entries = Object.entries(held.headers).filter(([name]) => !NOT_KEPT.includes(name))
  const headers = Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
  )
  const body = bodyOf(held.body)
  const fits = Buffer.byteLength(JSON.stringify([headers, body])) <= MAX_KEPT
  return { status: held.status, headers, ...(fits && { body }) }
}

/** Gives an answer again; without its body where that was too large to be kept. */
export function sendAgain(response: ServerResponse, { status, headers, body }: StoredAnswer): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value as OutgoingHttpHeader)
  response.setHeader('Idempotency-Replayed', body ? 'true' : 'status-only')
  response.end(body ? Buffer.from(body.text, body.encoding) : undefined)
}
