import { constants } from 'node:fs'
import { type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConflictError } from '../errors.js'
import { bytesUpTo, codeOf, diskError, syncFolder, writeAll } from './file.js'

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants
/** Whatever is written goes to the end, so that two writers cannot hide each other's bytes. */
const APPENDING = O_RDWR | O_APPEND | O_NOFOLLOW
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/** Where a file grows before it gets its name. */
export const partialOf = (path: string): string => `${path}.partial`

/** A file that only grows, part by part, each on disk before the next, and then gets its name. */
export class PartialFile {
  readonly #file: FileHandle
  #size: number
  #torn = false

  private constructor(
    readonly path: string,
    file: FileHandle,
    size: number,
  ) {
    this.#file = file
    this.#size = size
  }

  /** A new one, for its owner alone: an archive holds private talk. */
  static async create(path: string): Promise<PartialFile> {
    try {
      return new PartialFile(path, await open(partialOf(path), APPENDING | O_CREAT | O_EXCL, 0o600), 0)
    } catch (error) {
      throw diskError(error, partialOf(path))
    }
  }

  /** One that is there, of which the first `size` bytes count; the rest stays until the next part comes. */
  static async reopen(path: string, size: number): Promise<PartialFile> {
    try {
      return new PartialFile(path, await open(partialOf(path), APPENDING), size)
    } catch (error) {
      throw diskError(error, partialOf(path))
    }
  }

  get size(): number {
    return this.#size
  }

  /** The bytes so far. */
  chunks(): AsyncIterable<Buffer> {
    return bytesUpTo(this.#file, this.#size)
  }

  /** Makes the first `size` bytes all that there is. */
  async cutTo(size: number): Promise<void> {
    this.#size = size
    this.#torn = true
    await this.#cut()
  }

  async #cut(): Promise<void> {
    await this.#file.truncate(this.#size)
    await this.#file.datasync()
    this.#torn = false
  }

  /** Acknowledged means on disk. What a failed one leaves is cut off by the next. */
  async append(bytes: Buffer): Promise<void> {
    try {
      if (this.#torn) await this.#cut()
      await this.#check()
      this.#torn = true
      await writeAll(this.#file, bytes)
      await this.#file.datasync()
    } catch (error) {
      throw diskError(error, partialOf(this.path))
    }
    this.#size += bytes.length
    this.#torn = false
    await this.#check()
  }

  /** A run that was thought dead may go on writing: its bytes stand behind ours. */
  async #check(): Promise<void> {
    if ((await this.#file.stat()).size !== this.#size)
      throw new ConflictError(`${partialOf(this.path)} was changed by something else: another run may be writing it`)
  }

  /** Gives it its name; another file of this name is never replaced. */
  async publish(): Promise<void> {
    const partial = partialOf(this.path)
    try {
      await this.#check()
      if (!(await this.#is(partial)))
        throw new ConflictError(`${partial} is another file by now: another run has begun anew`)
      await this.#file.sync()
      if (await this.#link(partial)) await unlink(partial)
      else await rename(partial, this.path)
    } catch (error) {
      throw diskError(error, this.path)
    }
    await syncFolder(dirname(this.path))
    await this.close()
  }

  async #is(path: string): Promise<boolean> {
    const [ours, named] = [await this.#file.stat(), await stat(path)]
    return ours.ino === named.ino && ours.dev === named.dev
  }

  /** A hard link fails where the name was taken meanwhile; a rename would replace that file. */
  async #link(partial: string): Promise<boolean> {
    try {
      await link(partial, this.path)
      return true
    } catch (error) {
      const code = codeOf(error) ?? ''
      if (code === 'EEXIST' && (await this.#is(this.path))) return true
      if (code === 'EEXIST')
        throw new ConflictError(`${this.path} was made by something else: move it away, then resume`)
      if (NO_LINKS.includes(code)) return false
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}
