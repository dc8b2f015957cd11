import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import type { SqliteOptions } from '../../contract/options.js'
import { ConfigurationError, ConnectionError, StorageError, TimeoutError } from '../../errors.js'
import { isBusy, translateError } from './errors.js'

export const isPrivate = (path: string): boolean => path === ':memory:' || path === ''

function checkPath(path: string): void {
  if (isPrivate(path)) return
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new ConfigurationError(`option databasePath: the folder ${folder} does not exist`)
  if (existsSync(path) && !statSync(path).isFile())
    throw new ConfigurationError(
      `option databasePath: ${path} is not a file${statSync(path).isDirectory() ? ' but a folder' : ''}`,
    )
}

/** Loads the client when the first database is opened: importing the package stays cheap. */
async function loadClient(): Promise<typeof Database> {
  try {
    return (await import('better-sqlite3')).default
  } catch (error) {
    throw new ConfigurationError('the SQLite client cannot be loaded; install it with `npm install better-sqlite3`', {
      cause: error,
    })
  }
}

/** Milliseconds that SQLite itself may wait, blocking this thread. */
const BLOCKING_WAIT = 20

/** Repeats what another process's lock refused, without blocking this thread. */
export async function untilFree<T>(options: { busyTimeout: number }, work: () => T): Promise<T> {
  const deadline = performance.now() + options.busyTimeout
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw translateError(error)
    }
    await sleep(5 + Math.random() * 20)
  }
}

export interface OpenOptions extends Pick<SqliteOptions, 'databasePath' | 'durability'> {
  readonly busyTimeout: number
  /** False: the file's journal mode, which is stored in it, is left as it is until `useWal`. */
  readonly wal?: boolean
}

export async function useWal(client: Database.Database, options: OpenOptions): Promise<void> {
  if (!isPrivate(options.databasePath)) await untilFree(options, () => client.pragma('journal_mode = WAL'))
}

/** The write connection: WAL, foreign keys on, and a commit that waits for the disk as `durability` says. */
export async function openWriter(options: OpenOptions): Promise<Database.Database> {
  const { databasePath: path, durability } = options
  checkPath(path)
  const Client = await loadClient()
  let client: Database.Database | null = null
  try {
    client = new Client(path, { timeout: BLOCKING_WAIT })
    const opened = client
    if (options.wal !== false) await useWal(opened, options)
    opened.pragma(`synchronous = ${durability === 'process' ? 'NORMAL' : 'FULL'}`)
    opened.pragma('foreign_keys = ON')
    // Functions in a file's own schema must not reach beyond SQL: the file may come from anywhere.
    opened.pragma('trusted_schema = OFF')
    return opened
  } catch (error) {
    client?.close()
    throw named(path, error)
  }
}

/** The read connection: it sees the last commit, and never waits for a unit. */
export async function openReader(options: OpenOptions): Promise<Database.Database> {
  const Client = await loadClient()
  try {
    const client = new Client(options.databasePath, { readonly: true, timeout: 1000 })
    client.pragma('trusted_schema = OFF')
    client.pragma('query_only = ON')
    return client
  } catch (error) {
    throw named(options.databasePath, error)
  }
}

/** An error of the store with its path in front, if it does not begin with it. */
export function named(path: string, cause: unknown): Error {
  const error = translateError(cause)
  const store = error instanceof StorageError || error instanceof ConnectionError || error instanceof TimeoutError
  if (store && !error.message.startsWith(path)) error.message = `${path}: ${error.message}`
  return error
}
