import { createHash } from 'node:crypto'
import { createServer, type ListenOptions, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { LOOPBACK } from './ports.js'

const PATIENCE_MS = 10 * 60_000

/**
 * Runs `work` while no other process on this machine runs work of the same name. The lock is a listening socket, because
 * the system frees it when its holder is killed; a lock file would stay behind.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS
  let held = await tryListen(address(name))
  while (held === undefined) {
    if (Date.now() > deadline) throw new Error(`another process has held the lock for ${name} for ${PATIENCE_MS} ms`)
    await sleep(100)
    held = await tryListen(address(name))
  }
  try {
    return await work()
  } finally {
    held.close()
  }
}

function address(name: string): ListenOptions {
  const digest = createHash('sha256').update(name).digest()
  if (process.platform === 'linux') return { path: `\0bruno-memory-${digest.toString('hex').slice(0, 32)}` }
  return { host: LOOPBACK, port: 12_000 + (digest.readUInt16BE(0) % 2_000) }
}

function tryListen(where: ListenOptions): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ ...where, exclusive: true }, () => resolve(server))
  })
}
