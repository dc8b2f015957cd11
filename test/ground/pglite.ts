import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './install.js'
import { LOOPBACK } from './ports.js'
import { startOwn } from './server.js'
import type { Command, Engine, Place, Server } from './types.js'

const RUNNER = fileURLToPath(new URL('./pglite-run.mjs', import.meta.url))

const engine: Engine<'pglite'> = {
  name: 'pglite',
  label: 'PGlite',
  fix: 'Run "npm ci --prefix test/ground": its packages are those of the test ground.',
  stopSignal: 'SIGTERM',
  orphanSignal: 'SIGKILL',
  command,
  ready: async (place, pid) => (await readFile(readyOf(place), 'utf8').catch(() => '')) === String(pid),
  url: ({ port }) => `postgresql://postgres:postgres@${LOOPBACK}:${port}/postgres`,
}

export interface PgliteOptions {
  /** How many clients may be connected at once, 1 without it. */
  readonly connections?: number
}

/**
 * A PGlite (PostgreSQL 18 in WebAssembly) in memory, with pgvector to be created, for postgres.js with `max: 1`: empty after
 * every start. Found with PGlite 0.5.14, pglite-socket 0.2.17 and postgres.js 3.4.9:
 *
 * - One connection, `prepare: true` or `false`: transactions, pipelined queries, HNSW, errors with their codes all work.
 *   Further clients are cut off (ECONNRESET), and so are a pool's other connections and `sql.listen`, which needs its own.
 * - The server is one session: SET, advisory locks and temporary tables outlive the client that made them. What a client
 *   sends when it connects (application_name, statement_timeout) is ignored, a timeout never ends a query, nor does
 *   `cancel()`. COPY … FROM STDIN hangs for ever, and all that comes after it.
 * - More connections take turns message by message, not query by query. `prepare: true` mostly works then; `prepare: false`
 *   runs one client's parameters against another's statement ("bind message supplies 2 parameters, but … requires 0"), and
 *   concurrent transactions lose one now and then (portal "" does not exist) with either. Notifications do not arrive.
 */
export function startPglite(options: PgliteOptions = {}): Promise<Server<'pglite'>> {
  return startOwn(engine, { connections: String(options.connections ?? 1) })
}

const readyOf = ({ folder }: Place): string => join(folder, 'ready')

async function command(place: Place): Promise<Command> {
  await ensureInstalled()
  const { connections = '1' } = place.settings
  return { program: process.execPath, args: [RUNNER, LOOPBACK, String(place.port), connections, readyOf(place)] }
}
