import { createHash } from 'node:crypto'
import { Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { StorageError } from '../errors.js'
import { ARCHIVE_FORMAT, type ArchiveHeader, type ArchiveManifest, MAX_LINE_BYTES, PLAIN_VERSION } from './format.js'
import { type ArchiveEntry, encodeEntry } from './record.js'
import { ArchiveSummary } from './summary.js'

export interface WriteOptions {
  /** What stands in the header besides format and version. */
  readonly header: Omit<ArchiveHeader, 'format' | 'version' | 'space'>
  /** Called with the records written so far, about every thousand. */
  readonly onProgress?: ((records: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WriteReport {
  readonly manifest: ArchiveManifest
  /** Bytes of the compressed archive. */
  readonly bytes: number
}

const CHUNK = 64 * 1024
const PROGRESS_EVERY = 1000

/** Writes an archive: as fast as the destination takes it, with at most a few lines in memory. */
export async function writeArchive(
  entries: AsyncIterable<ArchiveEntry>,
  destination: Writable,
  options: WriteOptions,
): Promise<WriteReport> {
  const writer = new ArchiveText(options)
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length
      done(null, chunk)
    },
  })
  const text = Readable.from(writer.chunks(entries), { objectMode: false })
  await pipeline([text, createGzip(), count, destination], options.signal ? { signal: options.signal } : {})
  if (writer.manifest === null) throw new StorageError('the archive was not finished')
  return { manifest: writer.manifest, bytes }
}

class ArchiveText {
  manifest: ArchiveManifest | null = null
  readonly #hash = createHash('sha256')
  readonly #summary = new ArchiveSummary()
  readonly #options: WriteOptions
  constructor(options: WriteOptions) {
    this.#options = options
  }

  /** The archive's text in pieces of at least a buffer's size: a stream step per line would cost more than the line. */
  async *chunks(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<Buffer> {
    let text = `${JSON.stringify({ format: ARCHIVE_FORMAT, version: PLAIN_VERSION, ...this.#options.header })}\n`
    for await (const entry of entries) {
      text += `${this.#line(entry)}\n`
      if (text.length < CHUNK) continue
      yield this.#bytes(text)
      text = ''
    }
    yield this.#bytes(text)
    this.manifest = this.#summary.manifest(this.#hash.digest('hex'))
    this.#options.onProgress?.(this.#summary.total)
    yield Buffer.from(`${JSON.stringify({ manifest: this.manifest })}\n`)
  }

  #line(entry: ArchiveEntry): string {
    const line = encodeEntry(entry)
    // Readers refuse longer lines: better no archive than one that cannot be read back.
    if (line.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(line) > MAX_LINE_BYTES)
      throw new StorageError(`a ${entry.kind} is larger than an archive's line can be (${MAX_LINE_BYTES} bytes)`)
    this.#summary.add(entry)
    if (this.#summary.total % PROGRESS_EVERY === 0) this.#options.onProgress?.(this.#summary.total)
    return line
  }

  #bytes(text: string): Buffer {
    const bytes = Buffer.from(text)
    this.#hash.update(bytes)
    return bytes
  }
}
