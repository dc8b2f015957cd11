/** One migration as it stands in a folder: the same for drizzle-kit, the embedded copy and tests. */
export interface BundledMigration {
  /** The file's name without `.sql`, such as `0001_search`. */
  readonly tag: string
  /** When it was generated, in milliseconds: the journal's `created_at`, and the order. */
  readonly when: number
  /** SHA-256 of the whole file's text in hex: the journal's `hash`. */
  readonly hash: string
  readonly statements: readonly string[]
}

/** All migrations of one dialect, oldest first. */
export interface Bundle {
  readonly migrations: readonly BundledMigration[]
}

/** What drizzle-kit writes between two statements. */
export const breakpoint = '--> statement-breakpoint'

/** The table in which applied migrations stand; an application keeps its own Drizzle journal beside it. */
export const journalTable = 'bruno_migrations'

/** The text to show before it is run: every statement under its migration's name. */
export const sqlText = (migrations: readonly BundledMigration[]): string =>
  migrations.map((m) => `-- ${m.tag}\n${m.statements.join(`\n${breakpoint}\n`)}\n`).join('\n')
