import type { BundledMigration } from './bundle.js'
import type { JournalEntry } from './target.js'

/** Why a database is refused. */
export interface MigrationProblem {
  readonly kind: 'edited' | 'missing' | 'late-merged' | 'newer'
  /** The migration's tag, or its instant where this version does not know it. */
  readonly migration: string
  readonly message: string
}

export interface Plan {
  readonly applied: readonly BundledMigration[]
  readonly pending: readonly BundledMigration[]
  readonly problems: readonly MigrationProblem[]
}

/** Holds the journal against the known migrations. Pure: the same answer outside and inside the lock. */
export function plan(known: readonly BundledMigration[], journal: readonly JournalEntry[]): Plan {
  const byTime = new Map(known.map((m) => [m.when, m]))
  const entries = new Map(journal.map((e) => [e.createdAt, e]))
  const newestKnown = Math.max(...byTime.keys())
  const newestApplied = Math.max(...entries.keys())
  const applied = known.filter((m) => entries.get(m.when)?.hash === m.hash)
  const problems: MigrationProblem[] = []
  const edited = new Set<BundledMigration>()
  for (const entry of journal) {
    const at = byTime.get(entry.createdAt)
    if (at?.hash === entry.hash) continue
    const moved = known.find((m) => m.hash === entry.hash)
    if (at ?? moved) edited.add((at ?? moved) as BundledMigration)
    problems.push(at ? changed(at) : moved ? retimed(moved) : unknown(entry, newestKnown))
  }
  const pending = known.filter((m) => !entries.has(m.when) && !edited.has(m))
  for (const m of pending) if (m.when < newestApplied) problems.push(lateMerged(m))
  return { applied, pending, problems }
}

const changed = (m: BundledMigration): MigrationProblem => ({
  kind: 'edited',
  migration: m.tag,
  message: `migration ${m.tag} was edited after it was applied to this database: restore its text, and put the change into a new migration`,
})

const retimed = (m: BundledMigration): MigrationProblem => ({
  kind: 'edited',
  migration: m.tag,
  message: `migration ${m.tag} was applied under another time than its journal file says: restore its "when"`,
})

const lateMerged = (m: BundledMigration): MigrationProblem => ({
  kind: 'late-merged',
  migration: m.tag,
  message: `migration ${m.tag} is older than the newest one applied to this database: generate it again, so that it comes last`,
})

function unknown(entry: JournalEntry, newestKnown: number): MigrationProblem {
  const at = instant(entry.createdAt)
  const migration = `${at} (${entry.hash.slice(0, 12)})`
  return entry.createdAt > newestKnown
    ? {
        kind: 'newer',
        migration,
        message: `the database is newer than this version of bruno-memory: it holds migration ${migration}, which is unknown here; install the version that made it`,
      }
    : {
        kind: 'missing',
        migration,
        message: `migration ${migration} was applied to this database and is missing here: restore its file`,
      }
}

/** A journal row that something else wrote may hold any number. */
const instant = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms))
