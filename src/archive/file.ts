import { constants } from 'node:fs'
import { access, type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'
import { ConflictError, StorageError } from '../errors.js'

const exists = (path: string): Promise<boolean> =>
  access(path, constants.F_OK).then(
    () => true,
    () => false,
  )

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code

/**
 * Writes a file that appears under its name only when it is whole and on disk: a kill at any moment leaves at most
 * `<path>.partial`. An existing file is a `ConflictError` unless `force`.
 */
export async function writeWholeFile<T>(
  path: string,
  force: boolean,
  fill: (into: Writable) => Promise<T>,
): Promise<T> {
  const taken = `${path} exists already (--force replaces it)`
  if (!force && (await exists(path))) throw new ConflictError(taken)
  // Replacing a device, a pipe or a link by its name would take it away from everybody.
  const info = await lstat(path).catch(() => null)
  if (info && !info.isFile()) throw new ConflictError(`${path} is not a regular file: it is not replaced`)
  const partial = `${path}.partial`
  const file = await create(partial, force)
  let result: T
  try {
    result = await fill(intoHandle(file))
    await file.sync()
  } catch (error) {
    await file.close().catch(() => {})
    await unlink(partial).catch(() => {})
    throw diskError(error, path)
  }
  await file.close()
  await settle(partial, path, force, taken)
  return result
}

/** Leaves the handle open, because it has still to be synced. */
const intoHandle = (file: FileHandle): Writable =>
  new Writable({
    write(chunk: Buffer, _, done) {
      writeAll(file, chunk).then(() => done(), done)
    },
  })

/** All of it, however few bytes the system takes at once. */
export async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
}

const CHUNK = 256 * 1024

/** The bytes of a file up to an offset, whatever else reads it. */
export async function* bytesUpTo(file: FileHandle, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  for (let at = 0; at < end; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(CHUNK, end - at)), { position: at })
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Others may not read it: an archive holds private talk. */
async function create(partial: string, force: boolean) {
  if (force) await unlink(partial).catch(() => {})
  try {
    return await open(partial, 'wx', 0o600)
  } catch (error) {
    if (codeOf(error) === 'EEXIST')
      throw new ConflictError(`${partial} exists: another export writes it, or one was killed (--force replaces it)`)
    throw diskError(error, partial)
  }
}

async function settle(partial: string, path: string, force: boolean, taken: string): Promise<void> {
  // A hard link fails where the name was taken meanwhile; a rename would replace that file.
  const linked = force
    ? false
    : await link(partial, path).then(
        () => true,
        async (error: unknown) => {
          if (codeOf(error) === 'EEXIST') {
            await unlink(partial).catch(() => {})
            throw new ConflictError(taken)
          }
          return false
        },
      )
  if (linked) await unlink(partial)
  else await rename(partial, path)
  await syncFolder(dirname(path))
}

/** The name itself survives power loss only once its folder is on disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

/** An error of the file system as one that says which file and why. */
export function diskError(error: unknown, path: string): unknown {
  const reasons: Record<string, string> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota is used up',
    EFBIG: 'no larger files are allowed here',
    EIO: 'the disk fails',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOENT: 'its folder does not exist',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is not a folder',
  }
  const reason = reasons[codeOf(error) ?? '']
  return reason ? new StorageError(`cannot write ${path}: ${reason}`, { cause: error }) : error
}
