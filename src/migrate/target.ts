import type { BundledMigration } from './bundle.js'
import type { Catalog } from './catalog.js'

/** One row of the journal. */
export interface JournalEntry {
  readonly hash: string
  /** The migration's `when`. */
  readonly createdAt: number
}

/** A database that can be migrated, as an engine offers it. */
export interface MigrationTarget {
  /** The journal, oldest first; empty where there is none yet. The only read of a database that is current. */
  journal(): Promise<readonly JournalEntry[]>
  /**
   * Applies one migration and its journal row in one transaction, under a lock that other starters wait for. `decide`
   * is called with the journal as it stands inside the lock: false means that it is applied already, a throw refuses.
   * True when this call applied it.
   */
  apply(migration: BundledMigration, decide: (journal: readonly JournalEntry[]) => boolean): Promise<boolean>
  /** What is in the database, as far as it is ours. */
  catalog(): Promise<Catalog>
  /** What these migrations make of an empty database of the same engine. Leaves nothing behind. */
  expected(migrations: readonly BundledMigration[]): Promise<Catalog>
}

/** A target with a connection of its own, which `close` ends. */
export interface OpenTarget {
  readonly target: MigrationTarget
  close(): Promise<void>
}
