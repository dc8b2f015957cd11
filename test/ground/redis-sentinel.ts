import { join } from 'node:path'
import { answersPing } from './answers.js'
import { findProgram, libraryPath } from './find-program.js'
import { LOOPBACK, listens } from './ports.js'
import { startRedis } from './redis.js'
import { tell } from './redis-acl.js'
import { infoOf, startRedisReplica, until } from './redis-replica.js'
import { startOwn } from './server.js'
import type { Engine, Server } from './types.js'
import { writePrivately } from './user.js'

const NAME = 'bruno'
const DOWN_AFTER_MS = 500
/** As long as nobody may be replaced. */
const UNHURRIED_MS = 60_000

/**
 * A sentinel first pings a server a second after it has heard of it, or after `down-after-milliseconds` where that is
 * less, and would call it down at the same moment: with the standard periods it replaces every primary at once, again and
 * again. Shorter than this the ping period must not be either: a replica that has told nothing of itself for five of them
 * is not promoted, and it is asked once in a second.
 */
const periods = { 'ping-period': 300, 'info-period': 1_000, 'publish-period': 200 }

export interface RedisSentinel extends AsyncDisposable {
  /** As they were at the start: after a failover `replica` is the primary. */
  readonly primary: Server
  readonly replica: Server
  readonly sentinel: { readonly host: string; readonly port: number }
  /** What the sentinel calls the primary. */
  readonly name: typeof NAME
  stop(): Promise<void>
}

/**
 * A primary, its replica, and a sentinel that replaces a primary that has not answered for half a second; both servers
 * are known to it. A former primary that is started again takes writes until the sentinel makes it a replica, a second later.
 */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const servers: Server<string>[] = []
  const stop = async (): Promise<void> => {
    // The sentinel first: it would take the end of the primary for its failure. A server that has just become a replica
    // refuses an orderly end.
    for (const server of servers.splice(0).reverse()) await server.kill().finally(() => server.stop())
  }
  try {
    const primary = await startRedis({ own: true, settings: { 'replica-announce-ip': LOOPBACK } })
    servers.push(primary)
    const replica = await startRedisReplica(primary)
    servers.push(replica)
    const watcher = await startOwn(engineFor(primary))
    servers.push(watcher)
    const { port } = watcher
    await until('the sentinel to know the replica', () => knowsReplica(port, replica))
    for (const [name, ms] of Object.entries(periods)) await tell(port, 'SENTINEL', 'DEBUG', name, ms)
    await tell(port, 'SENTINEL', 'SET', NAME, 'down-after-milliseconds', DOWN_AFTER_MS)
    const sentinel = { host: LOOPBACK, port }
    return { primary, replica, sentinel, name: NAME, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Waits until the sentinel names this server as the primary, and the server itself agrees. */
export function promoted({ sentinel, name }: RedisSentinel, server: Server): Promise<void> {
  return until('the failover', async () => {
    const address = await tell(sentinel.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)
    const named = Array.isArray(address) && address[1] === String(server.port)
    return named && (await infoOf(server, 'replication')).role === 'master'
  })
}

async function knowsReplica(sentinelPort: number, replica: Server): Promise<boolean> {
  const replicas = (await tell(sentinelPort, 'SENTINEL', 'REPLICAS', NAME)) as string[][]
  const known = replicas.map((fields) => new Map(pairs(fields)))
  return known.some(
    (fields) => fields.get('port') === String(replica.port) && fields.get('master-link-status') === 'ok',
  )
}

function pairs(fields: readonly string[]): [name: string, value: string][] {
  return fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1] ?? '']] : []))
}

function engineFor(primary: Server): Engine<'sentinel'> {
  return {
    name: 'sentinel',
    label: 'Redis Sentinel',
    fix: 'Install redis-server (Debian: apt-get install redis-server; macOS: brew install redis).',
    stopSignal: 'SIGTERM',
    orphanSignal: 'SIGKILL',
    // Once: the sentinel writes into it what it learns.
    prepare: ({ folder }) => writePrivately(join(folder, 'sentinel.conf'), configuration(primary)),
    command: async (place) => {
      const { program, root } = await findProgram(
        'redis-server',
        ['redis-server', 'redis-tools'],
        'usr/bin/redis-server',
      )
      const args = [
        join(place.folder, 'sentinel.conf'),
        '--sentinel',
        '--port',
        String(place.port),
        '--dir',
        place.folder,
      ]
      return { program, args, env: libraryPath(root) }
    },
    ready: async ({ port }, pid) => (await answersPing(port)) && (await listens(pid, port)),
    url: ({ port }) => `redis://${LOOPBACK}:${port}`,
  }
}

function configuration(primary: Server): string {
  const lines = [
    `bind ${LOOPBACK}`,
    `sentinel monitor ${NAME} ${LOOPBACK} ${primary.port} 1`,
    `sentinel down-after-milliseconds ${NAME} ${UNHURRIED_MS}`,
    `sentinel failover-timeout ${NAME} 2000`,
    `sentinel parallel-syncs ${NAME} 1`,
  ]
  return `${lines.join('\n')}\n`
}
