import { constants } from 'node:fs'
import { access, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigurationError, StorageError } from '../../errors.js'

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'this account may not read and write it',
  EPERM: 'this account may not read and write it',
  EROFS: 'it lies on a file system that is read-only',
  ENOTDIR: 'there is a file where a folder must be',
  EEXIST: 'there is a file where the folder must be',
  ENOENT: 'it cannot be made there',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'its symbolic links lead nowhere',
}

/** Makes the folder if need be, and gives its real path: whoever comes by a symbolic link uses the same server. */
export async function prepareFolder(persistDirectory: string): Promise<string> {
  if (typeof persistDirectory !== 'string' || persistDirectory === '' || persistDirectory.includes('\0'))
    throw new ConfigurationError('option persistDirectory: the path of a folder is needed')
  const path = resolve(persistDirectory)
  const refusal = await make(path)
  try {
    if (!(await stat(path)).isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'EEXIST' })
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    return await realpath(path)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // What is not there was not made, and that is what has to be told.
    throw folderError(path, code === 'ENOENT' ? (refusal ?? code) : code, error)
  }
}

/**
 * Makes the folder and those above it; gives the code of what went wrong. Node's own `recursive` never comes back where a
 * folder is there but takes no other, as in /proc.
 */
async function make(path: string): Promise<string | undefined> {
  const above = dirname(path)
  const code = await tryMake(path)
  if (code !== 'ENOENT' || above === path) return code
  const refusal = await make(above)
  return refusal === undefined || refusal === 'EEXIST' ? tryMake(path) : refusal
}

function tryMake(path: string): Promise<string | undefined> {
  return mkdir(path, { mode: 0o700 }).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  )
}

function folderError(path: string, code: string, error: unknown): Error {
  const problem = PROBLEMS[code]
  if (problem === undefined) return new StorageError(`the folder ${path} cannot be used (${code})`, { cause: error })
  return new ConfigurationError(`option persistDirectory: ${path}: ${problem} (${code})`, { cause: error })
}
