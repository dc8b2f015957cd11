import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { answersHttp } from './answers.js'
import { findInstalled } from './install.js'
import { LOOPBACK, listens } from './ports.js'
import { startServer } from './server.js'
import type { Command, Engine, Place, Server, StartOptions } from './types.js'

const RUNNER = fileURLToPath(new URL('./chroma-run.mjs', import.meta.url))

const engine: Engine = {
  name: 'chroma',
  label: 'Chroma',
  fix: 'Set CHROMA_URL to a Chroma server that runs already (compose.yaml starts one).',
  stopSignal: 'SIGTERM',
  orphanSignal: 'SIGKILL',
  command,
  ready: async ({ port }, pid) => (await answersHttp(port, '/api/v2/heartbeat')) && (await listens(pid, port)),
  url: ({ port }) => `http://${LOOPBACK}:${port}`,
}

/** Chroma's server takes no `settings`. */
export function startChroma(options?: Pick<StartOptions, 'own'>): Promise<Server> {
  return startServer(engine, options)
}

async function command({ folder, port }: Place): Promise<Command> {
  const libc = process.platform === 'linux' ? '-gnu' : ''
  const name = `chromadb-js-bindings-${process.platform}-${process.arch}${libc}`
  const binding = await findInstalled(name)
  if (binding === undefined) throw new Error(`the test ground has no Chroma for this platform (${name})`)
  const args = ['--path', join(folder, 'data'), '--host', LOOPBACK, '--port', String(port)]
  return {
    program: process.execPath,
    args: [RUNNER, binding, 'run', ...args],
    env: { ANONYMIZED_TELEMETRY: 'False', SQLITE_TMPDIR: folder },
  }
}
