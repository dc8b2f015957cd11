import { lstat, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { EmbeddingSpace } from '../contract/embedder.js'
import type { Carried, Refusal, TransferScope, TransferSide, TransferSink, WriteOutcome } from '../contract/transfer.js'
import { ConfigurationError, ConflictError, StorageError } from '../errors.js'
import { RECORD_KINDS } from '../model/records.js'
import { type CarriedLine, lineOf } from './carried-line.js'
import { syncFolder } from './file.js'
import { ARCHIVE_FORMAT, ARCHIVE_VERSION, type ArchiveHeader } from './format.js'
import { GrowingText, keyOfMade, memberOf } from './growing.js'
import { countIn, headerAt, manifestAt } from './look.js'
import { PartialFile, partialOf } from './partial.js'

export interface ArchiveSinkOptions {
  /** Stands in the header of a new archive. */
  readonly createdAt: Date
  /** The newest schema migration of the program that writes. */
  readonly schema?: string | undefined
  /** What is asked for, where it is not everything. */
  readonly tenants?: readonly string[] | undefined
  /** Of the vectors that will come; see `adopt`. */
  readonly space?: EmbeddingSpace | null | undefined
}

/** An archive that is written part by part, and can be gone on with after any of them. */
export interface ArchiveSink extends TransferSink {
  /** Takes the space of the vectors that will come, where it has none; before it is opened. */
  adopt(space: EmbeddingSpace | null): void
}

/** Writes an archive to a path that has none. It stands there when it is finished, and as `<path>.partial` until then. */
export const archiveSink = (path: string, options: ArchiveSinkOptions): ArchiveSink => new FileSink(path, options)

/** How far it was written, and the SHA-256 of the text up to there. */
interface SinkState {
  readonly bytes: number
  readonly sha256: string
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

const taken = (path: string): ConfigurationError =>
  new ConfigurationError(`${path} exists already: name another file for the archive, or move this one away`)

function stateOf({ bytes, sha256 }: Readonly<Record<string, unknown>>): SinkState {
  if (!Number.isSafeInteger(bytes) || (bytes as number) <= 0 || typeof sha256 !== 'string')
    throw new StorageError('the checkpoint of this job is not one of an archive')
  return { bytes: bytes as number, sha256 }
}

class FileSink implements ArchiveSink {
  readonly #path: string
  readonly #options: ArchiveSinkOptions
  #space: EmbeddingSpace | null
  #file: PartialFile | null = null
  #text = new GrowingText()
  #finished = false

  constructor(path: string, options: ArchiveSinkOptions) {
    this.#path = resolve(path)
    this.#options = options
    this.#space = options.space ?? null
  }

  adopt(space: EmbeddingSpace | null): void {
    this.#space ??= space
  }

  async describe(): Promise<TransferSide> {
    const { schema } = this.#options
    return {
      backend: 'archive',
      place: this.#path,
      schema: schema ?? null,
      kinds: RECORD_KINDS,
      positions: 'counter',
      space: this.#space,
      adopts: true,
    }
  }

  async count(scope: TransferScope): Promise<number> {
    if (await exists(this.#path)) {
      if (!(await headerAt(this.#path))) throw taken(this.#path)
      return countIn(this.#path, scope)
    }
    return this.#file ? countIn(this.#file.chunks(), scope) : 0
  }

  async open(state: Readonly<Record<string, unknown>> | null): Promise<void> {
    await this.close()
    this.#finished = false
    if (state === null) await this.#begin()
    else await this.#resume(stateOf(state))
  }

  async #begin(): Promise<void> {
    const path = this.#path
    if (await exists(path)) throw taken(path)
    await this.#clear(partialOf(path))
    const file = await PartialFile.create(path)
    try {
      const text = Buffer.from(`${JSON.stringify(this.#header())}\n`)
      await file.append(await memberOf(text))
      await syncFolder(dirname(path))
      this.#text = new GrowingText()
      this.#text.add(text, [])
    } catch (error) {
      await file.close()
      await unlink(partialOf(path)).catch(() => {})
      throw error
    }
    this.#file = file
  }

  /** What an earlier run left is begun anew; what may be somebody else's stays. */
  async #clear(partial: string): Promise<void> {
    if (!(await exists(partial))) return
    if (((await headerAt(partial))?.version ?? 0) < ARCHIVE_VERSION)
      throw new ConfigurationError(
        `${partial} exists: an export writes it, or was killed: remove it if none is running`,
      )
    await unlink(partial)
  }

  #header(): ArchiveHeader {
    const { createdAt, schema, tenants = [] } = this.#options
    return {
      format: ARCHIVE_FORMAT,
      version: ARCHIVE_VERSION,
      createdAt: createdAt.toISOString(),
      ...(schema !== undefined && { schema }),
      tenants,
      includeExpired: true,
      ...(this.#space && { space: this.#space }),
    }
  }

  async #resume({ bytes, sha256 }: SinkState): Promise<void> {
    if (await this.#wasFinished(sha256)) return
    const partial = partialOf(this.#path)
    const info = await lstat(partial).catch(() => null)
    if (!info?.isFile()) throw new ConfigurationError(`${partial} is gone: abandon this job, and begin anew`)
    if (info.size < bytes) throw new StorageError(`${partial} is shorter than this job left it: begin anew`)
    const file = await PartialFile.reopen(this.#path, bytes)
    try {
      const { text, header } = await GrowingText.again(file.chunks())
      if (text.sha256() !== sha256) throw new StorageError(`${partial} is not as this job left it: begin anew`)
      // Only now: another file is not cut.
      await file.cutTo(bytes)
      this.#text = text
      this.#space = header.space ?? null
    } catch (error) {
      await file.close()
      throw error
    }
    this.#file = file
  }

  /** Whether the archive of this job stands under its name already: its run ended before it could say so. */
  async #wasFinished(sha256: string): Promise<boolean> {
    if (!(await exists(this.#path))) return false
    if ((await manifestAt(this.#path))?.sha256 !== sha256)
      throw new ConfigurationError(`${this.#path} exists, and is not of this job: move it away, then resume`)
    // Killed between the two names of one file.
    const [named, partial] = [await lstat(this.#path), await lstat(partialOf(this.#path)).catch(() => null)]
    if (partial?.ino === named.ino && partial.dev === named.dev) await unlink(partialOf(this.#path))
    this.#finished = true
    return true
  }

  async write(records: readonly Carried[]): Promise<WriteOutcome> {
    if (this.#finished && records.length > 0) throw new ConflictError(`${this.#path} is finished`)
    const refused: Refusal[] = []
    const lines: CarriedLine[] = []
    const made = new Set<string>()
    for (const [index, record] of records.entries()) {
      if (this.#text.has(record) || (record.made && made.has(keyOfMade(record)))) continue
      const answer = lineOf(record, this.#space)
      if (typeof answer === 'string') {
        refused.push({ index, reason: answer })
        continue
      }
      lines.push(answer)
      if (record.made) made.add(keyOfMade(record))
    }
    if (lines.length > 0) await this.#append(lines, made)
    const present = records.length - lines.length - refused.length
    const state = this.#finished ? {} : { state: { bytes: this.#opened().size, sha256: this.#text.sha256() } }
    return { written: lines.length, present, refused, ...state }
  }

  async #append(lines: readonly CarriedLine[], made: Iterable<string>): Promise<void> {
    const text = Buffer.concat(lines.map(({ line }) => line))
    await this.#opened().append(await memberOf(text))
    const digests = lines.map((each) => each.digests)
    this.#text.add(text, digests, made)
  }

  async finish(): Promise<void> {
    if (this.#finished) return
    const file = this.#opened()
    const before = file.size
    const text = Buffer.from(`${JSON.stringify({ manifest: this.#text.manifest() })}\n`)
    await file.append(await memberOf(text))
    try {
      await file.publish()
    } catch (error) {
      // The manifest is written again by the next try.
      await file.cutTo(before).catch(() => {})
      throw error
    }
    this.#file = null
    this.#finished = true
  }

  #opened(): PartialFile {
    if (!this.#file) throw new ConflictError(`the archive ${this.#path} is not open`)
    return this.#file
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }
}
