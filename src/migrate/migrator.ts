import { MigrationError } from '../errors.js'
import { type Bundle, type BundledMigration, sqlText } from './bundle.js'
import { compareCatalogs, type Difference } from './catalog.js'
import { type Plan, plan } from './plan.js'
import type { JournalEntry, MigrationTarget } from './target.js'

export interface MigratorOptions {
  readonly target: MigrationTarget
  readonly bundle: Bundle
}

export interface MigrationProgress {
  readonly migration: string
  readonly index: number
  readonly total: number
  /** `elsewhere`: another process applied it while this one waited for the lock. */
  readonly state: 'applying' | 'applied' | 'elsewhere'
}

export interface UpOptions {
  readonly onProgress?: (progress: MigrationProgress) => void
}

export interface UpReport {
  /** Tags that this call applied, in order. */
  readonly applied: readonly string[]
  /** Tags that another process applied while this call waited. */
  readonly elsewhere: readonly string[]
}

export interface Verification {
  readonly plan: Plan
  readonly differences: readonly Difference[]
  /** Everything applied unchanged, and the database is what the migrations make. */
  readonly ok: boolean
}

/** Brings a database to the schema of this version, and says how it stands. */
export interface Migrator {
  /** The journal held against the known migrations; refuses nothing and writes nothing. */
  status(): Promise<Plan>
  /** Applies what is pending, each in its own transaction. A current database costs one read of the journal. */
  up(options?: UpOptions): Promise<UpReport>
  /** Throws MigrationError unless the database is exactly at this version; one read of the journal. */
  check(): Promise<void>
  /** The journal and the schema itself. */
  verify(): Promise<Verification>
  /** The SQL that `up` would run now. */
  preview(): Promise<string>
  /** What in the database differs from what its applied migrations make; only tables named `bruno_…` are looked at. */
  drift(): Promise<Difference[]>
}

/**
 * A migrator over one database.
 *
 * @example
 * const bundle = await import('../../migrate/bundled/sqlite.js')
 * await createMigrator({ target: sqliteMigrationTarget(client), bundle }).up()
 */
export function createMigrator({ target, bundle }: MigratorOptions): Migrator {
  const known = bundle.migrations
  const status = async () => plan(known, await target.journal())
  const drift = async (now: Plan) => compareCatalogs(await target.expected(now.applied), await target.catalog())
  return {
    status,
    up: (options = {}) => up(target, known, options),
    check: async () => refuse(await status(), true),
    verify: async () => {
      const now = await status()
      const differences = await drift(now)
      return { plan: now, differences, ok: now.problems.length + now.pending.length + differences.length === 0 }
    },
    preview: async () => sqlText((await status()).pending),
    drift: async () => drift(await status()),
  }
}

async function up(target: MigrationTarget, known: readonly BundledMigration[], options: UpOptions): Promise<UpReport> {
  const now = plan(known, await target.journal())
  refuse(now)
  const applied: string[] = []
  const elsewhere: string[] = []
  const total = now.pending.length
  for (const [i, migration] of now.pending.entries()) {
    const progress = { migration: migration.tag, index: i + 1, total }
    options.onProgress?.({ ...progress, state: 'applying' })
    const ours = await target.apply(migration, (journal) => due(known, migration, journal))
    ;(ours ? applied : elsewhere).push(migration.tag)
    options.onProgress?.({ ...progress, state: ours ? 'applied' : 'elsewhere' })
  }
  // A connection that broke at the last moment may have lost a commit that was answered.
  if (total > 0) refuse(plan(known, await target.journal()), true)
  return { applied, elsewhere }
}

/** Asked inside the lock: another starter, of this or a newer version, may have been faster. */
function due(
  known: readonly BundledMigration[],
  migration: BundledMigration,
  journal: readonly JournalEntry[],
): boolean {
  const now = plan(known, journal)
  refuse(now)
  return now.pending.includes(migration)
}

function refuse({ problems: [problem], pending: [pending] }: Plan, alsoPending = false): void {
  if (problem) throw new MigrationError(problem.message, problem.migration)
  if (alsoPending && pending) {
    throw new MigrationError(
      `migration ${pending.tag} is not applied yet: run \`npx bruno-memory migrate\``,
      pending.tag,
    )
  }
}
