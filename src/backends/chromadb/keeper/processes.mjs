import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const STEP_MS = 25
const hasProc = process.platform === 'linux'

/** The living processes of a group, with their command lines; none where the system has no groups. */
export async function membersOf(group) {
  if (process.platform === 'win32') return []
  const all = hasProc ? listProc() : await listPs()
  return all.filter((each) => each.group === group)
}

function listProc() {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      // The name of the program, in parentheses, may itself hold spaces and parentheses.
      const [state, , group] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      if (state === 'Z' || state === 'X') return []
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return [{ pid: Number(name), group: Number(group), line }]
    } catch {
      return [] // It ended meanwhile.
    }
  })
}

async function listPs() {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,pgid=,stat=,args='], { maxBuffer: 2 ** 26 })
  return stdout.split('\n').flatMap((row) => {
    const [, pid, group, state, line] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(row) ?? []
    return pid === undefined || state.startsWith('Z') ? [] : [{ pid: Number(pid), group: Number(group), line }]
  })
}

/** Ends a group and waits until nobody of it lives; false when somebody still does. */
export async function endGroup(group, timeoutMs = 5_000) {
  const deadline = Date.now() + timeoutMs
  do {
    killGroup(group)
    if ((await membersOf(group)).length === 0) return true
    await sleep(STEP_MS)
  } while (Date.now() < deadline)
  return false
}

export function killGroup(group) {
  try {
    process.kill(process.platform === 'win32' ? group : -group, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

/**
 * Whether it is this group that listens on the port: any other server would answer a health check as well. True where
 * the system does not tell.
 */
export async function groupListens(group, port) {
  if (!hasProc) return true
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const LISTEN = '0A'
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  const sockets = new Set(
    rows.filter((row) => row[1]?.endsWith(suffix) && row[3] === LISTEN).map((row) => `socket:[${row[9]}]`),
  )
  return (await membersOf(group)).some(({ pid }) => descriptorsOf(pid).some((target) => sockets.has(target)))
}

function descriptorsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}
