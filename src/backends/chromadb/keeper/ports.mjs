import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

export const LOOPBACK = '127.0.0.1'

// Below every system's range of ephemeral ports: a client that connects again while a dead server is away could be given
// that very port as its source, connect to itself, and keep the port from the server that comes back.
const FIRST_PAIR = 7_500
const LAST_PAIR = 15_999
const ATTEMPTS = 200

/**
 * Listens on an even port of which the next one is free too. The keeper listens on the first and the server on the second,
 * so that two keepers never give one port to two servers: a user would write into the folder of the other.
 */
export async function claimPair(preferred, listener) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = attempt === 0 && isPair(preferred) ? preferred : 2 * randomInt(FIRST_PAIR, LAST_PAIR + 1)
    const server = createServer(listener)
    if (!(await listens(server, port))) continue
    if (await isFree(port + 1)) return { port, server }
    server.close()
  }
  throw new Error(`no two free ports between ${2 * FIRST_PAIR} and ${2 * LAST_PAIR + 1} on ${LOOPBACK}`)
}

const isPair = (port) => Number.isInteger(port) && port % 2 === 0 && port > 1023 && port < 65_535

export async function isFree(port) {
  const probe = createServer()
  const free = await listens(probe, port)
  if (free) await new Promise((resolve) => probe.close(resolve))
  return free
}

function listens(server, port) {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => resolve(true))
  })
}
