import { chown, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ServerUser } from './types.js'

const CANDIDATES = ['postgres', 'nobody']

/** For servers that refuse to run as root: the user to run them as, or undefined where we are not root. */
export async function unprivilegedUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of CANDIDATES) {
    const account = accounts.find((fields) => fields[0] === name)
    const uid = Number(account?.[2])
    const gid = Number(account?.[3])
    if (uid > 0 && gid >= 0) return { uid, gid }
  }
  throw new Error(`PostgreSQL does not run as root, and there is no user ${CANDIDATES.join(' or ')} to run it as`)
}

/** Writes a file that the user whom servers run as can read, and nobody else. */
export async function writePrivately(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600 })
  const user = await unprivilegedUser()
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

/** Whether every folder on the way to `path` lets the user through. */
export async function reachable(path: string, user: ServerUser): Promise<boolean> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder)
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (folder === dirname(folder)) return true
  }
}
