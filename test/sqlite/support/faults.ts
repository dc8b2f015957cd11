import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** How one call of a child ended. */
export interface Attempt {
  readonly step: string
  readonly ok: boolean
  readonly answer?: unknown
  readonly name?: string | undefined
  readonly message?: string
  readonly code?: string | undefined
  readonly retryable?: boolean | undefined
  /** The error as `util.inspect` shows it, its causes included. */
  readonly shown?: string
}

function answerOf(command: string, args: readonly string[]): Attempt[] {
  const { stdout, stderr, status, signal } = spawnSync(command, args, { maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`the child ended with ${status ?? signal}: ${stderr.toString()}`)
  return JSON.parse(stdout.toString()) as Attempt[]
}

export const asNobody = (script: string, path: string): Attempt[] =>
  answerOf(process.execPath, [script, 'permissions', path])

/** Runs the child where no file may grow past so many KiB. */
export const withFileLimit = (script: string, path: string, kib: number): Attempt[] =>
  answerOf('bash', ['-c', `ulimit -f ${kib} && exec "$@"`, 'bash', process.execPath, script, 'limited', path])

/** A mount of its own, which nobody else sees and which goes with the child. */
const MOUNTING = ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=4m none "$0" && exec "$@"']

/** Whether this machine lets a process mount a small disk for itself. */
export const canMount = (folder: string): boolean => spawnSync('unshare', [...MOUNTING, folder, 'true']).status === 0

/** Runs the child on a disk of 4 MiB, and copies the database file from it to `path`. */
export function onSmallDisk(script: string, folder: string, path: string): Attempt[] {
  const [database, filler] = [join(folder, 'memory.db'), join(folder, 'filler')]
  const attempts = answerOf('unshare', [...MOUNTING, folder, process.execPath, script, 'full', database, filler])
  writeFileSync(path, Buffer.from(attempts.find((each) => each.step === 'file')?.answer as string, 'base64'))
  return attempts.filter((each) => each.step !== 'file')
}

/** What is wrong inside a database file, in words. */
export function damage(path: string): string[] {
  const client = new Database(path)
  try {
    const problems: string[] = []
    const integrity = client.pragma('integrity_check', { simple: true })
    if (integrity !== 'ok') problems.push(String(integrity))
    for (const table of ['messages', 'memories', 'documents'].map((name) => `bruno_${name}_search`))
      client.prepare(`insert into ${table} (${table}, rank) values ('integrity-check', 1)`).run()
    const counts = client
      .prepare<[], { id: string }>(
        `select id from bruno_conversations c where message_count <>
           (select count(*) from bruno_messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id)`,
      )
      .all()
    return [...problems, ...counts.map(({ id }) => `${id} counts wrong`)]
  } finally {
    client.close()
  }
}

export function storedIds(path: string): string[] {
  const client = new Database(path, { readonly: true })
  try {
    return client.prepare<[], string>('select id from bruno_messages order by seq').pluck().all()
  } finally {
    client.close()
  }
}
