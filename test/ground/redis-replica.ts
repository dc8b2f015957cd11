import { setTimeout as sleep } from 'node:timers/promises'
import { LOOPBACK } from './ports.js'
import { startRedis } from './redis.js'
import { tell } from './redis-acl.js'
import type { Server } from './types.js'

const PATIENCE_MS = 15_000
const PAUSE_MS = 10

/** Whoever is or becomes a primary sends its data at once, not after five seconds, and ends without waiting for replicas. */
const prompt = { 'repl-diskless-sync-delay': '0', 'shutdown-timeout': '0' }

export interface RedisReplica extends Server {
  /** Waits until all that the primary has written before the call can be read here. */
  caughtUp(): Promise<void>
}

/** A read-only replica of `primary` that has its data; `primary` is one of the test ground's own and needs no password. */
export async function startRedisReplica(primary: Server): Promise<RedisReplica> {
  await tell(primary.url, 'CONFIG', 'SET', ...Object.entries(prompt).flat())
  const settings = { ...prompt, replicaof: `${LOOPBACK} ${primary.port}`, 'replica-announce-ip': LOOPBACK }
  const server = await startRedis({ own: true, settings })
  const caughtUp = async (): Promise<void> => {
    const { master_repl_offset: written } = await infoOf(primary, 'replication')
    await until('the replica to catch up', async () => {
      const { master_link_status, slave_repl_offset } = await infoOf(server, 'replication')
      return master_link_status === 'up' && Number(slave_repl_offset) >= Number(written)
    })
  }
  try {
    await caughtUp()
    // Until its first log is written it refuses an orderly end, and forgets that it was asked.
    await until(
      'the replica to write its log',
      async () => (await infoOf(server, 'persistence')).aof_rewrite_in_progress === '0',
    )
  } catch (error) {
    await server.stop()
    throw error
  }
  const stop = server.stop.bind(server)
  return Object.assign(server, { caughtUp, stop: () => server.kill().then(stop) })
}

/** What a server tells of itself in a section of INFO, such as its `role` in `replication`. */
export async function infoOf(server: Pick<Server, 'url'>, section: string): Promise<Readonly<Record<string, string>>> {
  const lines = String(await tell(server.url, 'INFO', section)).split('\r\n')
  return Object.fromEntries(lines.flatMap((line) => (line.includes(':') ? [line.split(/:(.*)/, 2)] : [])))
}

/** Asks again and again; a failed question is not the answer yet. */
export async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await reached().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`)
    await sleep(PAUSE_MS)
  }
}
