import type Database from 'better-sqlite3'
import type { ScrubStep } from '../../contract/erase.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { SqlRunner } from '../sql/engine.js'
import { SqlEraseTarget } from '../sql/erase.js'
import { indexOf } from './fts.js'
import type { WriteGate } from './gate.js'
import { isPrivate, untilFree } from './open.js'

export interface SqliteErasing {
  readonly databasePath: string
  readonly writer: Database.Database
  readonly gate: WriteGate
  readonly store: SqlStoreContext
  readonly runner: SqlRunner
}

interface Rewriting {
  readonly name: string
  /** Milliseconds to wait for other processes. */
  readonly busyTimeout: number
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : 'SQLite refused it')

async function step(what: string, work: () => Promise<string | null>): Promise<ScrubStep> {
  try {
    const reason = await work()
    return { what, done: reason === null, reason }
  } catch (error) {
    return { what, done: false, reason: reasonOf(error) }
  }
}

/** Writes a file anew without the pages that nothing refers to, and empties its write-ahead log. */
export async function rewriteFile(client: Database.Database, { name, busyTimeout }: Rewriting): Promise<ScrubStep[]> {
  const run = async (text: string): Promise<null> => {
    await untilFree({ busyTimeout }, () => client.exec(text))
    return null
  }
  const deadline = performance.now() + busyTimeout
  const steps = [await step(`${name}: VACUUM`, () => run('vacuum'))]
  const log = await step(`${name}: wal_checkpoint(TRUNCATE)`, async () => {
    for (;;) {
      const [row] = client.pragma('wal_checkpoint(TRUNCATE)') as { readonly busy: number }[]
      if (row?.busy !== 1) return null
      if (performance.now() >= deadline) return 'another process reads the file: end its transaction and erase again'
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  return [...steps, log]
}

/** Terms of deleted rows stay in an index until its parts are merged into one. */
async function mergeIndexes(client: Database.Database, busyTimeout: number): Promise<ScrubStep[]> {
  const steps: ScrubStep[] = []
  for (const { name } of Object.values(indexOf))
    steps.push(
      await step(`${name}: optimize`, async () => {
        await untilFree({ busyTimeout }, () => client.exec(`insert into ${name} (${name}) values ('optimize')`))
        return null
      }),
    )
  return steps
}

/** What a planner's statistics may repeat of keys. */
async function analyse(client: Database.Database, busyTimeout: number): Promise<ScrubStep[]> {
  const [made] = client.prepare("select 1 from sqlite_master where name = 'sqlite_stat1'").all()
  if (!made) return []
  return [
    await step('sqlite_stat1: ANALYZE', async () => {
      await untilFree({ busyTimeout }, () => client.exec('analyze'))
      return null
    }),
  ]
}

/** Overwrites what is deleted from now on. Answers how to have it as it was. */
function overwriting(client: Database.Database): () => void {
  const before = client.pragma('secure_delete', { simple: true })
  client.pragma('secure_delete = ON')
  return () => client.pragma(`secure_delete = ${before === 2 ? 'FAST' : Number(before)}`)
}

/** A file, whose deleted bytes are overwritten while it is erased from. */
export function sqliteEraseTarget(erasing: SqliteErasing): SqlEraseTarget {
  const { databasePath, writer, gate, store, runner } = erasing
  // Alone on the connection, in its turn and in no transaction.
  const alone = <T>(work: () => Promise<T>): Promise<T> => gate.submit('read', work)
  return new SqlEraseTarget({
    name: 'sqlite',
    store,
    runner: () => runner,
    async deleting(work) {
      const before = await alone(async () => overwriting(writer))
      await work().finally(() => alone(async () => before()))
    },
    scrub: async (deadline) =>
      isPrivate(databasePath)
        ? []
        : alone(async () => {
            const before = overwriting(writer)
            try {
              return [
                ...(await mergeIndexes(writer, deadline)),
                ...(await analyse(writer, deadline)),
                ...(await rewriteFile(writer, { name: 'database', busyTimeout: deadline })),
              ]
            } finally {
              before()
            }
          }),
    ages: async () =>
      isPrivate(databasePath)
        ? []
        : ['copies and backups of the database file', 'blocks of the disk that the file has given back'],
  })
}
