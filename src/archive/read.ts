import { createHash, type Hash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ValidationError } from '../errors.js'
import { RECORD_KINDS } from '../model/records.js'
import {
  type ArchiveHeader,
  type ArchiveManifest,
  damaged,
  isObject,
  MAX_LINE_BYTES,
  parseHeader,
  parseManifest,
} from './format.js'
import { type Line, splitLines } from './lines.js'
import { type ArchiveEntry, decodeEntry } from './record.js'
import { ArchiveSummary } from './summary.js'

/** A record of the archive with its line, or why that line is refused. */
export type ArchiveItem =
  | { readonly line: number; readonly bytes: number; readonly entry: ArchiveEntry }
  | { readonly line: number; readonly bytes: number; readonly refused: ValidationError }

export interface ReadOptions {
  readonly onHeader?: ((header: ArchiveHeader) => void) | undefined
  readonly onManifest?: ((manifest: ArchiveManifest) => void) | undefined
}

/** Whether bytes begin as gzip does. */
export const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b
const isDataError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error &&
  ['Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_STREAM_ERROR'].includes(String((error as NodeJS.ErrnoException).code))

async function* rest(first: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
}

/** The bytes as they are, or decompressed where they are gzip. A broken stream is a `StorageError`. */
export async function* decompressed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]()
  let first: Buffer = Buffer.alloc(0)
  while (first.length < 2) {
    const next = await iterator.next()
    if (next.done) break
    first = Buffer.concat([first, next.value])
  }
  if (!isGzip(first)) return yield* rest(first, iterator)
  const gunzip = createGunzip()
  let received = 0
  const source = (async function* () {
    for await (const chunk of rest(first, iterator)) {
      received += chunk.length
      yield chunk
    }
  })()
  // The error reaches the loop below through the stream itself.
  pipeline(Readable.from(source, { objectMode: false }), gunzip, () => {})
  try {
    yield* gunzip as AsyncIterable<Buffer>
  } catch (error) {
    throw isDataError(error)
      ? damaged(`its compressed data end or break near byte ${gunzip.bytesWritten}`, error)
      : error
  }
  // zlib stops without a word where the compressed data end; what follows is not part of the archive.
  if (gunzip.bytesWritten < received) throw damaged(`something else follows after byte ${gunzip.bytesWritten}`)
}

/**
 * Reads an archive and holds it against its manifest. A line that cannot be read is answered with the reason; a
 * truncated archive, broken compression, a newer version and anything that the manifest contradicts throw, at the
 * latest after the last record.
 */
export async function* readArchive(
  chunks: AsyncIterable<Buffer>,
  options: ReadOptions = {},
): AsyncGenerator<ArchiveItem> {
  const reader = new ArchiveReader()
  for await (const line of splitLines(decompressed(chunks), MAX_LINE_BYTES)) {
    if (line.number === 1) {
      const header = reader.header(line)
      options.onHeader?.(header)
      continue
    }
    const item = reader.read(line)
    if (item) yield item
  }
  const manifest = reader.finish()
  options.onManifest?.(manifest)
}

function parsed(line: Line): unknown {
  if (line.bytes === null) throw new ValidationError('line', `must be at most ${MAX_LINE_BYTES} bytes`)
  try {
    return JSON.parse(line.bytes.toString())
  } catch (error) {
    if (error instanceof RangeError) throw error
    // The parser's own message quotes the text.
    throw new ValidationError('line', 'is not JSON')
  }
}

class ArchiveReader {
  readonly #hash: Hash = createHash('sha256')
  readonly #summary = new ArchiveSummary()
  #manifest: ArchiveManifest | null = null
  #refused = 0

  hash(line: Line): void {
    if (line.bytes) this.#hash.update(line.bytes)
    if (line.ended) this.#hash.update('\n')
  }

  header(line: Line): ArchiveHeader {
    this.hash(line)
    try {
      return parseHeader(parsed(line))
    } catch (error) {
      throw error instanceof ValidationError ? damaged('line 1 is not the header of an archive') : error
    }
  }

  read(line: Line): ArchiveItem | null {
    if (this.#manifest) throw damaged(`line ${line.number} follows the manifest`)
    const at = { line: line.number, bytes: line.bytes?.length ?? 0 }
    try {
      const value = parsed(line)
      if (isObject(value) && 'manifest' in value) {
        if (!line.ended) throw damaged('its last line is cut')
        this.#manifest = parseManifest(value.manifest)
        return null
      }
      const entry = decodeEntry(value)
      this.#summary.add(entry)
      this.hash(line)
      return { ...at, entry }
    } catch (error) {
      const refused = refusal(error)
      this.#refused++
      this.hash(line)
      return { ...at, refused }
    }
  }

  finish(): ArchiveManifest {
    const manifest = this.#manifest
    if (!manifest) throw damaged('it has no manifest: it was cut, or its writing was interrupted')
    const found = this.#summary.manifest(this.#hash.digest('hex'))
    if (found.sha256 !== manifest.sha256) throw damaged(this.#differences(manifest, found))
    // Written wrongly from the start, by something else: the lines are as they were, and do not fit the manifest.
    if (this.#refused === 0)
      for (const kind of RECORD_KINDS)
        if (found.counts[kind] !== manifest.counts[kind] || found.digests[kind] !== manifest.digests[kind])
          throw damaged(this.#differences(manifest, found))
    return manifest
  }

  #differences(manifest: ArchiveManifest, found: ArchiveManifest): string {
    const counts = RECORD_KINDS.filter((kind) => found.counts[kind] !== manifest.counts[kind])
    if (counts.length > 0)
      return counts
        .map((k) => `the manifest counts ${manifest.counts[k]} of kind ${k}, found were ${found.counts[k]}`)
        .join('; ')
    const kinds = RECORD_KINDS.filter((kind) => found.digests[kind] !== manifest.digests[kind])
    return `the digest differs in ${kinds.length > 0 ? `records of kind ${kinds.join(', ')}` : 'its header or the form of its lines'}`
  }
}

function refusal(error: unknown): ValidationError {
  if (error instanceof ValidationError) return error
  // JSON nested some ten thousand levels deep ends the recursion of whoever walks it; 1e999 is read as infinite.
  if (error instanceof RangeError)
    return new ValidationError('record', 'is nested too deeply or holds a number too large')
  throw error
}
