import { randomInt } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'

export const LOOPBACK = '127.0.0.1'

// Below every system's range of ephemeral ports: a client that reconnects while a killed server is away could otherwise
// be given the server's own port as its source, connect to itself, and keep the port from the restarted server.
const FIRST_PORT = 15_000
const LAST_PORT = 31_999
const ATTEMPTS = 200

/** A port of 127.0.0.1 that nobody listens on at the moment of the call. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1)
    if (await canListen(port)) return port
  }
  throw new Error(`no free port found between ${FIRST_PORT} and ${LAST_PORT} on ${LOOPBACK}`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

/**
 * Whether this very process listens on the port: another server may have taken it between the choice and the start, and
 * would answer a health check. True where the system does not tell (no /proc).
 */
export async function listens(pid: number, port: number): Promise<boolean> {
  const table = await readFile('/proc/net/tcp', 'utf8').catch(() => undefined)
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => undefined)
  if (table === undefined || descriptors === undefined) return true
  const sockets = listeningSockets(table, port)
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    if (sockets.has(target)) return true
  }
  return false
}

function listeningSockets(table: string, port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const LISTEN = '0A'
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/))
  const ours = rows.filter((row) => row[1]?.endsWith(suffix) === true && row[3] === LISTEN)
  return new Set(ours.map((row) => `socket:[${row[9]}]`))
}
