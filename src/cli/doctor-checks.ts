import { accessSync, closeSync, constants, existsSync, openSync, readSync, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { v7 } from 'uuid'
import { UNFINISHED } from '../backends/sql/reindex.js'
import { clientVersion, type Examination } from '../backends/sqlite/doctor.js'
import type { Memory } from '../contract/memory.js'
import type { Plan } from '../migrate/plan.js'
import { bytes, number } from './format.js'

/** One thing that was looked at. `mend` says what to do where it is not well. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'failure'
  readonly found: string
  readonly mend?: string
}

export const ok = (name: string, found: string): Check => ({ name, status: 'ok', found })
export const warning = (name: string, found: string, mend: string): Check => ({
  name,
  status: 'warning',
  found,
  mend,
})
export const failure = (name: string, found: string, mend: string): Check => ({
  name,
  status: 'failure',
  found,
  mend,
})
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const OLDEST_NODE = 20
const MEGABYTE = 1_000_000

export function checkNode(version: string): Check {
  return Number(version.split('.')[0]) >= OLDEST_NODE
    ? ok('node', `Node.js ${version}`)
    : failure('node', `Node.js ${version}`, `install Node.js ${OLDEST_NODE} or newer`)
}

export async function checkClient(): Promise<Check> {
  try {
    return ok('client', `SQLite ${await clientVersion()}`)
  } catch (error) {
    const mend = 'run `npm rebuild better-sqlite3`, or `npm install better-sqlite3` with install scripts allowed'
    return failure('client', `the SQLite client does not load: ${reason(error).split('\n')[0]}`, mend)
  }
}

const may = (path: string, mode: number): boolean => {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

const isSqlite = (path: string): boolean => {
  const head = Buffer.alloc(16)
  const fd = openSync(path, 'r')
  try {
    return readSync(fd, head, 0, 16, 0) === 0 || head.toString('latin1') === 'SQLite format 3\0'
  } finally {
    closeSync(fd)
  }
}

/** The file itself. */
export function checkFile(path: string): Check {
  if (!existsSync(path))
    return failure('file', `there is no file ${path}`, 'import something with `bruno-memory import`, or check --url')
  const info = statSync(path)
  if (!info.isFile()) return failure('file', `${path} is not a file`, 'name the file in --url')
  if (!may(path, constants.R_OK))
    return failure('file', `${path} cannot be read`, `give this user the right to read it (chmod u+r ${path})`)
  if (!may(path, constants.W_OK))
    return failure('file', `${path} is read-only`, `give this user the right to write it (chmod u+w ${path})`)
  if (!isSqlite(path))
    return failure('file', `${path} is no SQLite database`, 'check --url, or restore the file from a backup')
  return ok('file', `${path}, ${bytes(info.size)}`)
}

/** The folder, where SQLite keeps its log beside the file, and the room that is left. */
export function checkFolder(path: string): Check {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) return failure('folder', `${folder} does not exist`, `make it: mkdir -p ${folder}`)
  if (!may(folder, constants.W_OK))
    return failure(
      'folder',
      `${folder} cannot be written`,
      'SQLite needs to make its -wal file there: chmod u+w the folder',
    )
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (free < 10 * MEGABYTE)
    return failure('folder', `${bytes(free)} free on the disk`, 'free some disk space: writes will fail')
  if (free < Math.max(200 * MEGABYTE, size))
    return warning(
      'folder',
      `${bytes(free)} free on the disk`,
      'free some disk space: a migration or a backup may need as much as the file has',
    )
  return ok('folder', `writable, ${bytes(free)} free on the disk`)
}

export function checkSchema({ applied, pending, problems }: Plan): Check {
  const [problem] = problems
  if (problem) return failure('schema', problem.message, 'see `bruno-memory migrate verify`')
  if (pending.length > 0)
    return failure('schema', `${number(pending.length)} migrations are pending`, 'run `bruno-memory migrate`')
  return ok('schema', `current (${applied.at(-1)?.tag ?? 'empty'})`)
}

export function checkContent({ integrity, orphans }: Examination): Check[] {
  const broken = integrity[0]
  const lost = Object.entries(orphans)
  return [
    broken === undefined
      ? ok('integrity', 'the file is sound')
      : failure('integrity', broken, 'restore a backup, or save what can be read: `sqlite3 FILE .recover`'),
    lost.length === 0
      ? ok('references', 'every record has what it belongs to')
      : failure(
          'references',
          lost.map(([table, n]) => `${number(n)} rows of ${table} belong to nothing`).join(', '),
          'export with `bruno-memory export`, import into a new file, and look for what writes with foreign keys off',
        ),
  ]
}

const LARGE_WAL = 64 * MEGABYTE

export function checkLog(path: string, { journalMode }: Examination): Check {
  if (journalMode !== 'wal')
    return warning(
      'log',
      `journal mode ${journalMode}`,
      'readers wait for writers until bruno-memory opens the file for writing, which sets WAL',
    )
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  return size > LARGE_WAL
    ? warning(
        'log',
        `the write-ahead log has ${bytes(size)}`,
        'a reader that stays open keeps it from shrinking: close it, or stop all processes once',
      )
    : ok('log', `WAL, ${bytes(size)}`)
}

export function checkSearch(brokenIndexes: readonly string[]): Check {
  return brokenIndexes.length === 0
    ? ok('search index', 'agrees with the rows')
    : failure('search index', `${brokenIndexes.join(', ')} differ from the rows`, 'run `bruno-memory reindex`')
}

/** What stands in both engines' tables. */
type Rest = Pick<Examination, 'analyzer' | 'expired' | 'tenants'>

export function checkAnalyzer(analyzer: Rest['analyzer']): Check {
  if (!analyzer)
    return warning('analyzer', 'none is recorded', 'open the memory once for writing: it records how text is indexed')
  if (analyzer.version === UNFINISHED)
    return failure('analyzer', 'a reindex was ended half-way', 'run `bruno-memory reindex` again')
  return ok('analyzer', `${analyzer.language}, ${analyzer.stemmer} ${analyzer.version}`)
}

export function checkRest({ analyzer, expired, tenants }: Rest): Check[] {
  return [
    checkAnalyzer(analyzer),
    expired === 0
      ? ok('expiry', 'nothing waits to be purged')
      : warning(
          'expiry',
          `${number(expired)} records have expired and are still stored`,
          'call purgeExpired() or sweep() now and then',
        ),
    ok('tenants', number(tenants)),
  ]
}

class Undo extends Error {}

/** Writes in a unit, reads it back, and rolls back: nothing of it stays. */
export async function probe(memory: Memory, mend: string): Promise<Check> {
  const scope = memory.forTenant('bruno-doctor')
  const id = v7()
  try {
    await scope.unitOfWork(async (unit) => {
      await unit.users.create({ id })
      if ((await unit.users.get(id))?.id !== id) throw new Error('what was written could not be read back')
      throw new Undo()
    })
  } catch (error) {
    if (!(error instanceof Undo)) return failure('probe', reason(error), mend)
  }
  return (await scope.users.get(id)) === null
    ? ok('probe', 'wrote, read and rolled back a unit of work')
    : failure('probe', 'a rolled-back write is still there', 'report this as a bug')
}

/** What a check throws is its finding: the others are made all the same where they can be. */
export async function guarded(name: string, mend: string, work: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await work()
  } catch (error) {
    return [failure(name, reason(error), mend)]
  }
}
