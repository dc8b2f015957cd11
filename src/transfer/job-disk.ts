import { createHash } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkpoint } from '../contract/transfer.js'
import { StorageError } from '../errors.js'

/** A job as it is kept. */
export interface StoredJob {
  /** Which target it is of, for people who look into the file. */
  readonly place: string
  readonly id: string
  readonly plan: string
  readonly state: 'running' | 'complete' | 'abandoned'
  /** Null: nobody has it. */
  readonly owner: string | null
  /** Until when its owner may be silent, in milliseconds since 1970. */
  readonly until: number
  readonly checkpoint: Checkpoint | null
}

export interface NumberedJob {
  readonly epoch: number
  readonly job: StoredJob
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EFBIG: 'no larger files are allowed here',
  EACCES: 'permission denied',
  EPERM: 'permission denied, or no hard links',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of its path is not a folder',
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? ''
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

let names = 0

/**
 * The files of one target's job: `<target>.<epoch>.json`, one for each owner that it had, of which the last counts. Only
 * its owner writes a file, so that a run that wakes up late changes nothing that a later one has. The name of a new one
 * is taken by a hard link, which fails where it is there: each epoch has one owner.
 */
export class JobDisk {
  readonly #key: string

  constructor(
    readonly folder: string,
    place: string,
  ) {
    this.#key = hashOf(place)
  }

  /** The newest epoch; 0 where there is none. */
  async epoch(): Promise<number> {
    return Math.max(0, ...(await this.#epochs()))
  }

  async latest(): Promise<NumberedJob | null> {
    for (;;) {
      const epoch = await this.epoch()
      if (epoch === 0) return null
      const text = await this.#read(epoch)
      // A later owner has tidied it away meanwhile.
      if (text !== null) return { epoch, job: this.#parse(text, epoch) }
    }
  }

  /** Takes an epoch; false where somebody else has it. */
  async claim({ epoch, job }: NumberedJob): Promise<boolean> {
    const temporary = `${this.#key}.${epoch}.${hashOf(job.owner ?? '')}-${++names}.tmp`
    return this.#guarded(async () => {
      await mkdir(this.folder, { recursive: true, mode: 0o700 })
      await this.#write(temporary, job)
      try {
        await link(join(this.folder, temporary), this.#path(epoch))
      } catch (error) {
        // ENOENT: whoever took it has tidied ours away.
        if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false
        throw error
      } finally {
        await this.#remove(temporary)
      }
      await this.#sync()
      await this.#tidy(epoch)
      return true
    })
  }

  /** Puts a newer state in place of the one before, which stays where this fails. */
  async replace({ epoch, job }: NumberedJob): Promise<void> {
    const temporary = `${this.#key}.${epoch}.tmp`
    await this.#guarded(async () => {
      await this.#write(temporary, job)
      await rename(join(this.folder, temporary), this.#path(epoch))
      await this.#sync()
    })
  }

  #path(epoch: number): string {
    return join(this.folder, `${this.#key}.${epoch}.json`)
  }

  async #names(): Promise<string[]> {
    const all = await this.#guarded(() =>
      readdir(this.folder).catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return []
        throw error
      }),
    )
    return all.filter((name) => name.startsWith(`${this.#key}.`))
  }

  async #epochs(): Promise<number[]> {
    return (await this.#names()).flatMap((name) => {
      const [, epoch, ending, more] = name.split('.')
      return ending === 'json' && more === undefined && /^\d+$/.test(epoch ?? '') ? [Number(epoch)] : []
    })
  }

  async #read(epoch: number): Promise<string | null> {
    return this.#guarded(() =>
      readFile(this.#path(epoch), 'utf8').catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return null
        throw error
      }),
    )
  }

  #parse(text: string, epoch: number): StoredJob {
    try {
      const job = JSON.parse(text) as StoredJob
      if (typeof job.id === 'string' && typeof job.plan === 'string' && Number.isFinite(job.until)) return job
    } catch {
      // The parser's own message quotes the text.
    }
    throw new StorageError(`${this.#path(epoch)} is no job: remove it to begin anew`)
  }

  async #write(name: string, job: StoredJob): Promise<void> {
    const path = join(this.folder, name)
    try {
      const file = await open(path, 'w', 0o600)
      try {
        await file.writeFile(JSON.stringify(job))
        // Before it gets its name: else the name could be on disk, and what it names not.
        await file.sync()
      } finally {
        await file.close()
      }
    } catch (error) {
      await this.#remove(name)
      throw error
    }
  }

  /** What earlier owners left, the temporary files of killed ones too. */
  async #tidy(epoch: number): Promise<void> {
    for (const name of await this.#names()) if (Number(name.split('.')[1]) < epoch) await this.#remove(name)
  }

  async #remove(name: string): Promise<void> {
    await unlink(join(this.folder, name)).catch(() => {})
  }

  /** A name survives power loss only once its folder is on disk. */
  async #sync(): Promise<void> {
    const handle = await open(this.folder, 'r').catch(() => null)
    await handle?.sync().catch(() => {})
    await handle?.close()
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const code = codeOf(error)
      if (code === '') throw error
      throw new StorageError(`cannot keep the job in ${this.folder}: ${REASONS[code] ?? code}`, { cause: error })
    }
  }
}
