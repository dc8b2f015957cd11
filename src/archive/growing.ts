import { createHash, type Hash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { ValidationError } from '../errors.js'
import { type ArchiveHeader, type ArchiveManifest, damaged, isObject, MAX_LINE_BYTES, parseHeader } from './format.js'
import { splitLines } from './lines.js'
import { decompressed } from './read.js'
import { type ArchiveEntry, decodeEntry } from './record.js'
import { ArchiveSummary, type EntryDigests } from './summary.js'

const compressed = promisify<Buffer, Buffer>(gzip)

/** Text of an archive, compressed so that it can stand behind what is there. */
export const memberOf = (text: Buffer): Promise<Buffer> => compressed(text)

/** What a made record is known by: the transfer may bring it again. */
export const keyOfMade = ({ kind, record }: ArchiveEntry): string => JSON.stringify([kind, record.tenantId, record.id])

/** The text of an archive that is not whole yet, as far as its manifest has to tell of it. */
export class GrowingText {
  readonly #hash: Hash = createHash('sha256')
  readonly #summary = new ArchiveSummary()
  readonly #made = new Set<string>()

  /** Whether a record that was made for others is there already. */
  has(entry: ArchiveEntry): boolean {
    return entry.made === true && this.#made.has(keyOfMade(entry))
  }

  add(text: Uint8Array, records: readonly EntryDigests[], made: Iterable<string> = []): void {
    this.#hash.update(text)
    for (const digests of records) this.#summary.put(digests)
    for (const key of made) this.#made.add(key)
  }

  sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  manifest(): ArchiveManifest {
    return this.#summary.manifest(this.sha256())
  }

  /** Reads what was written before, to go on behind it. */
  static async again(chunks: AsyncIterable<Buffer>): Promise<{ text: GrowingText; header: ArchiveHeader }> {
    const text = new GrowingText()
    let header: ArchiveHeader | null = null
    for await (const { bytes, ended, number } of splitLines(decompressed(chunks), MAX_LINE_BYTES)) {
      if (bytes === null || !ended) throw damaged(`line ${number} is cut or too long`)
      const value = parsed(bytes, number)
      header ??= parseHeader(value)
      text.#hash.update(bytes).update('\n')
      if (number > 1) text.#add(value, number)
    }
    if (!header) throw damaged('it is empty')
    return { text, header }
  }

  #add(value: unknown, line: number): void {
    try {
      const entry = decodeEntry(value)
      this.#summary.add(entry)
      if (entry.made) this.#made.add(keyOfMade(entry))
    } catch (error) {
      throw error instanceof ValidationError ? damaged(`line ${line}: ${error.message}`) : error
    }
  }
}

function parsed(bytes: Buffer, line: number): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (isObject(value)) return value
  } catch {
    // The parser's own message quotes the text.
  }
  throw damaged(`line ${line} is not JSON`)
}
