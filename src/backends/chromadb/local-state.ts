import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationError } from '../../errors.js'

/** What a keeper has written into the folder about itself, whether it still lives or not. */
export interface KeeperState {
  readonly pid: number
  readonly port: number
  readonly token: string
}

const NAME = 'bruno-memory.json'

/** Undefined where there is none, or none that can be read as one: a keeper that starts replaces it. */
export async function readKeeperState(folder: string): Promise<KeeperState | undefined> {
  const path = join(folder, NAME)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM')
      throw new ConfigurationError(
        `option persistDirectory: ${path} cannot be read (${code}): the folder is used by another account`,
        { cause: error },
      )
    return undefined
  }
  return parse(text)
}

function parse(text: string): KeeperState | undefined {
  try {
    const { pid, port, token } = JSON.parse(text) as KeeperState
    const known = Number.isInteger(pid) && port > 0 && port < 65_536 && typeof token === 'string'
    return known ? { pid, port, token } : undefined
  } catch {
    return undefined
  }
}
