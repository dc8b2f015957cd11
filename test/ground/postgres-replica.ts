import { randomBytes } from 'node:crypto'
import { appendFile, chown, copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { dataOf, makeReachable, ownPostgresql, postgresqlEngine } from './postgresql.js'
import { startOwn } from './server.js'
import type { Engine, Place, Server, ServerUser } from './types.js'
import { unprivilegedUser, writePrivately } from './user.js'

const PATIENCE_MS = 15_000
const PAUSE_MS = 10

/** What lies in these folders belongs to the running primary; the folders themselves must exist. */
const EMPTIED = new Set(['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots'])
const LEFT_OUT = new Set(['postmaster.pid', 'postmaster.opts', 'pgsql_tmp', 'pg_internal.init'])
/** A hot standby with less of one of these than its primary refuses to start. */
const NO_LESS_THAN_PRIMARY = [
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
]

export interface Replica extends Server {
  /** Returns once nothing of what the primary commits afterwards can be read here; it is received all the same. */
  pauseReplay(): Promise<void>
  resumeReplay(): Promise<void>
  /** Waits until all that the primary has committed before the call can be read here. */
  caughtUp(): Promise<void>
}

/** A read-only hot standby on its own port and folder that streams from `primary`, one of the test ground's own servers. */
export async function startReplica(primary: Server): Promise<Replica> {
  const sql = connect(primary.url)
  try {
    const server = await startOwn(engineFor(primary, sql), await leastSettings(sql))
    return withReplay(server, primary)
  } finally {
    await sql.end()
  }
}

type Replay = Pick<Replica, 'pauseReplay' | 'resumeReplay' | 'caughtUp'>

export interface PrimaryWithReplica extends AsyncDisposable, Replay {
  readonly primary: Server
  readonly replica: Replica
  readonly primaryUrl: string
  readonly replicaUrl: string
  stop(): Promise<void>
}

/** A fresh PostgreSQL with one replica; `settings` are the primary's. */
export async function startPrimaryWithReplica(settings: Place['settings'] = {}): Promise<PrimaryWithReplica> {
  const primary = await ownPostgresql({ wal_level: 'replica', ...settings })
  const replica = await startReplica(primary).catch(async (error: unknown) => {
    await primary.stop()
    throw error
  })
  const stop = async (): Promise<void> => {
    // In this order, and the second even if the first fails: a primary waits for its standby to leave.
    await replica.stop().finally(() => primary.stop())
  }
  const { pauseReplay, resumeReplay, caughtUp } = replica
  const urls = { primaryUrl: primary.url, replicaUrl: replica.url }
  return { primary, replica, ...urls, pauseReplay, resumeReplay, caughtUp, stop, [Symbol.asyncDispose]: stop }
}

function connect(url: string): Sql {
  return postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
}

async function leastSettings(sql: Sql): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; setting: string }[]>`
    select name, setting from pg_settings where name in ${sql(NO_LESS_THAN_PRIMARY)}`
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
}

function engineFor(primary: Server, sql: Sql): Engine {
  // Without a slot the primary may throw away what it has written between the copy and the first connection.
  const slot = `replica_${randomBytes(6).toString('hex')}`
  return {
    ...postgresqlEngine,
    label: 'PostgreSQL replica',
    fix: 'Its primary must be a running PostgreSQL of the test ground itself: ownPostgresql() starts one.',
    prepare: async (place) => {
      await makeReachable(place)
      await sql`select pg_create_physical_replication_slot(${slot}, true)`
      await backUp(sql, dataOf(primary), dataOf(place))
      await makeStandby(dataOf(place), new URL(primary.url), slot)
    },
    url: ({ port }) => withPort(primary.url, port),
    sweep: async (place) => {
      await postgresqlEngine.sweep?.(place)
      await dropSlot(primary.url, slot)
    },
  }
}

async function backUp(sql: Sql, from: string, to: string): Promise<void> {
  const user = await unprivilegedUser()
  await sql`select pg_backup_start('replica', true)`
  await copyFolder(from, to, user)
  // Last, as pg_basebackup does: it must not be older than any copied file.
  await copyOne(join(from, 'global/pg_control'), join(to, 'global/pg_control'), user)
  const [stopped] = await sql<{ labelfile: string }[]>`select labelfile from pg_backup_stop(false)`
  await writePrivately(join(to, 'backup_label'), stopped?.labelfile ?? '')
}

async function copyFolder(from: string, to: string, user: ServerUser | undefined): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  if (user !== undefined) await chown(to, user.uid, user.gid)
  const entries = (await readdir(from, { withFileTypes: true })).filter(({ name }) => !LEFT_OUT.has(name))
  const files = entries.filter((entry) => entry.isFile())
  await Promise.all(files.map(({ name }) => copyOne(join(from, name), join(to, name), user)))
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    if (EMPTIED.has(name)) await copyEmpty(join(to, name), user)
    else await copyFolder(join(from, name), join(to, name), user)
  }
}

async function copyEmpty(to: string, user: ServerUser | undefined): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  if (user !== undefined) await chown(to, user.uid, user.gid)
}

async function copyOne(from: string, to: string, user: ServerUser | undefined): Promise<void> {
  try {
    await copyFile(from, to)
    if (user !== undefined) await chown(to, user.uid, user.gid)
  } catch (error) {
    // A table that the primary drops during the copy: the log that is replayed later drops it here too.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

async function makeStandby(data: string, primary: URL, slot: string): Promise<void> {
  const { hostname, port, username, password } = primary
  const connection = `host=${hostname} port=${port} user=${username} password=${password}`
  // In a file, not among the program's arguments, which every user of the machine can read.
  const lines = [`primary_conninfo = '${connection}'`, `primary_slot_name = '${slot}'`, 'hot_standby = on', '']
  await appendFile(join(data, 'postgresql.auto.conf'), `\n${lines.join('\n')}`)
  await writePrivately(join(data, 'standby.signal'), '')
}

function withPort(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}

function withReplay(server: Server, primary: Server): Replica {
  const ask = <Row extends object>(query: string): Promise<Row | undefined> => askOnce<Row>(server.url, query)
  return Object.assign(server, {
    pauseReplay: async () => {
      await ask('select pg_wal_replay_pause()')
      await until('the replay to pause', async () => {
        const row = await ask<{ state: string }>('select pg_get_wal_replay_pause_state() as state')
        return row?.state === 'paused'
      })
    },
    resumeReplay: async () => void (await ask('select pg_wal_replay_resume()')),
    caughtUp: async () => {
      const written = await askOnce<{ lsn: string }>(primary.url, 'select pg_current_wal_lsn()::text as lsn')
      await until('the replica to catch up', async () => {
        const row = await ask<{ there: boolean }>(`select pg_last_wal_replay_lsn() >= '${written?.lsn}' as there`)
        return row?.there === true
      })
    },
  })
}

async function askOnce<Row extends object>(url: string, query: string): Promise<Row | undefined> {
  const sql = connect(url)
  try {
    const [row] = await sql.unsafe<Row[]>(query)
    return row
  } finally {
    await sql.end()
  }
}

async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await reached())) {
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`)
    await sleep(PAUSE_MS)
  }
}

/** A slot without its replica would make the primary keep its log for ever. */
async function dropSlot(primaryUrl: string, slot: string): Promise<void> {
  const drop = `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}'`
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const error = await askOnce(primaryUrl, drop).then(
      () => undefined,
      (reason: { code?: string }) => reason,
    )
    // "In use": the primary has not noticed yet that the replica is gone. All else means that the primary is gone.
    if (error?.code !== '55006') return
    await sleep(PAUSE_MS * 10)
  }
}
