import { answersPing } from './answers.js'
import { findProgram, libraryPath } from './find-program.js'
import { LOOPBACK, listens } from './ports.js'
import { startServer } from './server.js'
import type { Command, Engine, Place, Server, StartOptions } from './types.js'

const defaults = {
  bind: LOOPBACK,
  // Every acknowledged write is in the operating system's hands before the reply: a killed server keeps it.
  appendonly: 'yes',
  save: '',
}

const engine: Engine = {
  name: 'redis',
  label: 'Redis',
  fix: 'Install redis-server (Debian: apt-get install redis-server; macOS: brew install redis), or set REDIS_URL to a server that runs already (compose.yaml starts one).',
  stopSignal: 'SIGTERM',
  orphanSignal: 'SIGKILL',
  command,
  ready: async ({ port }, pid) => (await answersPing(port)) && (await listens(pid, port)),
  url: ({ port }) => `redis://${LOOPBACK}:${port}`,
}

/** `settings` are the directives of redis.conf, such as `{ 'maxmemory-policy': 'allkeys-lru' }`. */
export function startRedis(options?: StartOptions): Promise<Server> {
  return startServer(engine, options)
}

async function command(place: Place): Promise<Command> {
  const { program, root } = await findProgram('redis-server', ['redis-server', 'redis-tools'], 'usr/bin/redis-server')
  const settings = { ...defaults, ...place.settings, dir: place.folder, port: String(place.port), daemonize: 'no' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  return { program, args, env: libraryPath(root) }
}
