import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import type { Kind } from '../../../schema/column.js'
import type { CopyingSession } from './transfer-client.js'

const SPECIAL = /[\\\t\n\r]/
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
const escaped = (text: string): string =>
  SPECIAL.test(text) ? text.replace(/[\\\t\n\r]/g, (c) => ESCAPED[c] as string) : text

let lastTime = Number.NaN
let lastText = ''
/** Times of a row, and of its neighbours, are often the same. */
function instantText(time: number): string {
  if (time !== lastTime) {
    lastText = new Date(time).toISOString()
    lastTime = time
  }
  return lastText
}

function valueText(kind: Kind, value: unknown): string {
  if (value === null || value === undefined) return '\\N'
  if (typeof value === 'string') return escaped(value)
  if (kind === 'instant') return instantText(value as number)
  if (kind === 'bytes') return `\\\\x${(value as Buffer).toString('hex')}`
  return String(value)
}

/** Characters that are handed to the stream at a time: the server works on them while the next ones are made. */
const CHUNK = 128 * 1024

/** Copies rows into a table; the server's refusal of any of them is the error. */
export async function copyRows(
  { client }: CopyingSession,
  {
    table,
    columns,
    kinds,
  }: { readonly table: string; readonly columns: readonly string[]; readonly kinds: readonly Kind[] },
  rows: Iterable<readonly unknown[]>,
  sent?: () => void,
): Promise<void> {
  const { from } = await import('pg-copy-streams')
  const stream = client.query(from(`copy ${table} (${columns.map((name) => `"${name}"`).join(', ')}) from stdin`))
  const done = finished(stream)
  // Whoever waits for room in the stream is told of a refusal by `done`, not left waiting.
  done.catch(() => undefined)
  let text = ''
  const flush = async () => {
    const more = stream.write(text)
    text = ''
    if (!more) await Promise.race([once(stream, 'drain'), done])
  }
  for (const row of rows) {
    let line = ''
    for (let i = 0; i < kinds.length; i++) line += `${i === 0 ? '' : '\t'}${valueText(kinds[i] as Kind, row[i])}`
    text += `${line}\n`
    if (text.length > CHUNK) await flush()
  }
  stream.end(text)
  // Once the socket has had its turn.
  if (sent) setImmediate(sent)
  await done
}
