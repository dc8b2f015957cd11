import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { gunzipSync, constants as zlib } from 'node:zlib'
import { ARCHIVE_FORMAT } from '../archive/format.js'
import { isGzip } from '../archive/read.js'
import { ConfigurationError, ConnectionError } from '../errors.js'
import { firstElement } from './json-array.js'
import { isSession } from './openai-agents/items.js'
import { formatOfDatabase, isSqliteFormat } from './sqlite-formats.js'
import type { ImportFormat } from './types.js'

/** A file to be imported, and what it holds. */
export interface Source {
  readonly path: string
  readonly format: ImportFormat
  /** Compressed bytes, where it is compressed. */
  readonly bytes: number
}

const HEAD = 64 * 1024
const CHUNK = 256 * 1024

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
}

/** A file that cannot be read, as an error that says which and why. */
export function unreadable(path: string, error: unknown): unknown {
  const reason = REASONS[(error as NodeJS.ErrnoException | undefined)?.code ?? '']
  return reason ? new ConnectionError(`cannot read ${path}: ${reason}`, { cause: error }) : error
}

async function headOf(path: string): Promise<{ head: Buffer; size: number }> {
  const info = await stat(path)
  if (info.isDirectory()) throw new ConfigurationError(`${path} is a folder: name the files in it`)
  if (!info.isFile())
    throw new ConfigurationError(`${path} is not a regular file: it has to be read more than once, save it first`)
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)
    return { head: buffer.subarray(0, bytesRead), size: info.size }
  } finally {
    await file.close()
  }
}

/** The beginning of the text, of a compressed file as far as its own beginning gives it. */
function textOf(head: Buffer): string {
  const text = plainOf(head).toString('latin1')
  return text.replace(/^\u00ef\u00bb\u00bf/, '').trimStart()
}

const plainOf = (head: Buffer): Buffer => (isGzip(head) ? begin(head) : head)

function begin(head: Buffer): Buffer {
  try {
    return gunzipSync(head, { finishFlush: zlib.Z_SYNC_FLUSH })
  } catch {
    // What it is cannot be said; reading it will say where it breaks.
    return Buffer.alloc(0)
  }
}

const SQLITE_HEAD = 'SQLite format 3\0'

const OTHERS: readonly (readonly [start: string, what: string])[] = [
  ['PK\u0003\u0004', 'a ZIP file: unpack it and import the conversations.json in it'],
  [SQLITE_HEAD, 'a compressed SQLite file: decompress it first'],
  ['\u00ff\u00fe', 'UTF-16 text: save it as UTF-8'],
  ['\u00fe\u00ff', 'UTF-16 text: save it as UTF-8'],
  ['<', 'HTML or XML: of a ChatGPT export, import conversations.json'],
]

/** By the first element; where that is longer than what is looked at, by the name that it begins with. */
function isAgents(head: Buffer, text: string): boolean {
  const first = firstElement(plainOf(head))
  return first === undefined ? /^\[\s*\{\s*"(type|role)"\s*:/.test(text) : isSession(first)
}

/** What a file holds, by how it begins; `ConfigurationError` where that is nothing known. */
export function detectFormat(path: string, head: Buffer): ImportFormat {
  const raw = head.toString('latin1', 0, 16)
  const text = textOf(head)
  for (const [start, what] of OTHERS)
    if (raw.startsWith(start) || text.startsWith(start)) throw new ConfigurationError(`${path} is ${what}`)
  if (text.startsWith('[')) return isAgents(head, text) ? 'openai-agents' : 'chatgpt'
  if (/^\{\s*"format"\s*:/.test(text) && text.slice(0, 200).includes(ARCHIVE_FORMAT)) return 'archive'
  // A compressed file that cannot be read is most likely an archive that was damaged.
  if (text === '' && isGzip(head)) return 'archive'
  if (text.startsWith('{')) return 'jsonl'
  const empty = text === '' ? 'is empty' : 'is neither a JSON array, nor JSON Lines, nor an archive, nor an SQLite file'
  throw new ConfigurationError(`${path} ${empty} (--format says what it is, where that is known)`)
}

/** Looks at the beginning of a file. `format` overrides what is found there. */
export async function openSource(path: string, format?: ImportFormat): Promise<Source> {
  try {
    const { head, size } = await headOf(path)
    const isDatabase = head.toString('latin1', 0, SQLITE_HEAD.length) === SQLITE_HEAD
    if (isDatabase || (format && isSqliteFormat(format)))
      return { path, bytes: size, format: await formatOfDatabase(path, format) }
    return { path, bytes: size, format: format ?? detectFormat(path, head) }
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** The bytes of a file, in order; `onBytes` hears how many were read. */
export async function* chunksOf(path: string, onBytes?: (n: number) => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
      onBytes?.(chunk.length)
      yield chunk
    }
  } catch (error) {
    throw unreadable(path, error)
  }
}
