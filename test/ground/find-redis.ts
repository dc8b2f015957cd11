import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fetchDebian } from './debian.js'

const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib', 'lib']

export interface FoundRedis {
  readonly program: string
  /** What LD_LIBRARY_PATH must hold for a program that is not installed on the system. */
  readonly libraries?: string
}

/** The system's redis-server, or Debian's package unpacked in the cache folder. */
export async function findRedis(): Promise<FoundRedis> {
  const onPath = await findOnPath('redis-server')
  if (onPath !== undefined) return { program: onPath }
  try {
    const root = await fetchDebian(['redis-server', 'redis-tools'], 'usr/bin/redis-server')
    const libraries = LIBRARIES.map((folder) => join(root, folder)).join(delimiter)
    return { program: join(root, 'usr/bin/redis-server'), libraries }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`no redis-server on PATH, and Debian's package could not be fetched (${reason})`, { cause: error })
  }
}

async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (folder !== '' && runs) return path
  }
  return undefined
}
