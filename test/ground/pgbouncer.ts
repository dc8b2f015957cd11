import { execFile } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { answersSslRequest } from './answers.js'
import { type FoundProgram, findProgram, libraryPath } from './find-program.js'
import { LOOPBACK, listens } from './ports.js'
import { startOwn } from './server.js'
import type { Engine, Place, Server } from './types.js'
import { reachable, unprivilegedUser, writePrivately } from './user.js'

const POSTGRESQL_PORT = '5432'
/** The first version that knows prepared statements in transaction mode, and the setting that switches them off. */
const KNOWS_PREPARED_STATEMENTS = [1, 21] as const

const defaults = {
  listen_addr: LOOPBACK,
  unix_socket_dir: '',
  pool_mode: 'transaction',
  auth_type: 'trust',
  max_client_conn: '500',
  // The standard, 15 seconds, would refuse every client for as long after PostgreSQL has been restarted.
  server_login_retry: '1',
  // Refused otherwise. Ignored means ignored: a statement_timeout that a client sends when it connects has no effect.
  ignore_startup_parameters:
    'extra_float_digits,options,statement_timeout,idle_in_transaction_session_timeout,lock_timeout,search_path',
}

export interface PgbouncerOptions {
  /** Server connections for each database and user, 4 without it; more clients than that wait for each other. */
  readonly poolSize?: number
  /** PgBouncer's own, such as `{ pool_mode: 'session', query_wait_timeout: '2' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

/**
 * A PgBouncer in transaction mode in front of any database of the PostgreSQL at `postgresUrl`, for the user of that URL
 * only: consecutive transactions of one client may run on different connections, and named prepared statements are lost
 * between them. With `prepare: true` postgres.js repeats a lone query that fails for it, and waits for ever when several are
 * under way. `url` is `postgresUrl` with another port. PgBouncer stays when PostgreSQL goes, and connects anew.
 */
export function startPgbouncer(postgresUrl: string, options: PgbouncerOptions = {}): Promise<Server<'pgbouncer'>> {
  return startOwn(engineFor(new URL(postgresUrl)), {
    default_pool_size: String(options.poolSize ?? 4),
    ...options.settings,
  })
}

function engineFor(upstream: URL): Engine<'pgbouncer'> {
  let within: Program | undefined
  return {
    name: 'pgbouncer',
    label: 'PgBouncer',
    fix: 'Install PgBouncer (Debian: apt-get install pgbouncer; macOS: brew install pgbouncer).',
    // It keeps nothing on disk, and which signal means "at once" differs between its versions.
    stopSignal: 'SIGKILL',
    orphanSignal: 'SIGKILL',
    prepare: async (place) => {
      within = await bringWithinReach(place)
      await writeUserFile(place, upstream)
    },
    command: async (place) => {
      if (within === undefined) throw new Error('PgBouncer has not been prepared')
      await writePrivately(configOf(place), configuration(place, upstream, within.version))
      const user = await unprivilegedUser()
      const env = libraryPath(within.root)
      return { program: within.program, args: [configOf(place)], env, ...(user === undefined ? {} : { user }) }
    },
    ready: async ({ port }, pid) => (await answersSslRequest(port)) && (await listens(pid, port)),
    url: ({ port }) => pooledUrl(upstream, port),
  }
}

interface Program extends FoundProgram {
  readonly version: readonly number[]
}

// PgBouncer refuses to run as root, and whoever it runs as instead cannot reach root's cache folder.
async function bringWithinReach(place: Place): Promise<Program> {
  const found = await findProgram('pgbouncer', ['pgbouncer'], 'usr/sbin/pgbouncer')
  const version = await versionOf(found)
  const user = await unprivilegedUser()
  if (found.root === undefined || user === undefined || (await reachable(found.program, user))) {
    return { ...found, version }
  }
  const root = join(place.folder, 'native')
  await cp(found.root, root, { recursive: true, verbatimSymlinks: true })
  return { program: join(root, relative(found.root, found.program)), root, version }
}

async function versionOf({ program, root }: FoundProgram): Promise<number[]> {
  const env = { ...process.env, ...libraryPath(root) }
  const { stdout } = await promisify(execFile)(program, ['--version'], { env })
  const numbers = /PgBouncer (\d+)\.(\d+)/i.exec(stdout)
  if (numbers === null) throw new Error(`${program} --version does not tell its version: ${stdout}`)
  return numbers.slice(1).map(Number)
}

const configOf = ({ folder }: Place): string => join(folder, 'pgbouncer.ini')
const usersOf = ({ folder }: Place): string => join(folder, 'users.txt')

function configuration(place: Place, upstream: URL, version: readonly number[]): string {
  const user = decodeURIComponent(upstream.username)
  const prepared = isAtLeast(version, KNOWS_PREPARED_STATEMENTS) ? { max_prepared_statements: '0' } : {}
  const ours = { listen_port: String(place.port), auth_file: usersOf(place), admin_users: user }
  const settings = Object.entries({ ...defaults, ...prepared, ...place.settings, ...ours })
  const host = upstream.hostname.replace(/^\[|\]$/g, '')
  const server = `* = host=${host} port=${upstream.port || POSTGRESQL_PORT}`
  return ['[databases]', server, '[pgbouncer]', ...settings.map(([name, value]) => `${name} = ${value}`), ''].join('\n')
}

function isAtLeast([major = 0, minor = 0]: readonly number[], [least, leastMinor]: readonly [number, number]): boolean {
  return major > least || (major === least && minor >= leastMinor)
}

/** Who may connect, and the password that PgBouncer itself shows to PostgreSQL. */
async function writeUserFile(place: Place, { username, password }: URL): Promise<void> {
  const quoted = [username, password].map((word) => `"${decodeURIComponent(word).replaceAll('"', '""')}"`)
  await writePrivately(usersOf(place), `${quoted.join(' ')}\n`)
}

function pooledUrl(upstream: URL, port: number): string {
  const url = new URL(upstream)
  url.hostname = LOOPBACK
  url.port = String(port)
  // PgBouncer itself speaks no TLS here, whatever PostgreSQL does.
  for (const name of ['ssl', 'sslmode', 'sslrootcert']) url.searchParams.delete(name)
  return url.href
}
