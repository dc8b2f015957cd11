import { hostname } from 'node:os'
import { v4 } from 'uuid'

/** Of this process: a later one may have its number. */
const living = new Set<string>()
const HERE = `${hostname().slice(0, 100)}/`

/** A name for somebody in this process who takes work. */
export function newOwner(): string {
  const owner = `${HERE}${process.pid}/${v4()}`
  living.add(owner)
  return owner
}

/** Whether an owner was in a process of this machine that has ended. Of other machines nothing is known. */
export function isDead(owner: string): boolean {
  if (!owner.startsWith(HERE)) return false
  const pid = Number(/^(\d+)\//.exec(owner.slice(HERE.length))?.[1] ?? Number.NaN)
  if (!Number.isInteger(pid)) return false
  if (pid === process.pid) return !living.has(owner)
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
