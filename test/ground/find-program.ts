import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fetchDebian } from './debian.js'

const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib', 'lib']
// Debian keeps servers here, and leaves these folders out of the PATH of everybody but root.
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin']

export interface FoundProgram {
  readonly program: string
  /** The folder that stands for `/` of a program that is not installed on the system. */
  readonly root?: string
}

/** The system's program, or the one at `path` in Debian's packages, unpacked in the cache folder. */
export async function findProgram(name: string, packages: readonly string[], path: string): Promise<FoundProgram> {
  const onPath = await findOnPath(name)
  if (onPath !== undefined) return { program: onPath }
  try {
    const root = await fetchDebian(packages, path)
    return { program: join(root, path), root }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`no ${name} on PATH, and Debian's package could not be fetched (${reason})`, { cause: error })
  }
}

/** What the environment must hold for a program that is not installed on the system. */
export function libraryPath(root: string | undefined): Readonly<Record<string, string>> {
  if (root === undefined) return {}
  return { LD_LIBRARY_PATH: LIBRARIES.map((folder) => join(root, folder)).join(delimiter) }
}

async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS]) {
    const path = join(folder, name)
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (folder !== '' && runs) return path
  }
  return undefined
}
