import { existsSync } from 'node:fs'
import type { ReembedReport, ReembedSettings } from '../backends/sql/reembed.js'
import type { ReindexReport, ReindexSettings } from '../backends/sql/reindex.js'
import type { EmbeddingSpace } from '../contract/embedder.js'

/** What is known of a database before its memory is opened. */
export interface Look {
  /** Whether there is a memory. */
  readonly exists: boolean
  /** That it was indexed with; `none` without full-text search; null where none is recorded. */
  readonly language: string | null
  /** Whether the tables' policies hold for the role of the URL. */
  readonly secured: boolean
  /** What its vectors are compared by, and their length; null where it has none. */
  readonly space: Pick<EmbeddingSpace, 'metric' | 'dimensions'> | null
}

/** Work on a database that no memory is open for. Each engine is loaded only when it is used. */
export interface Upkeep {
  /** Where a memory is looked for, for people. */
  readonly place: string
  look(): Promise<Look>
  reindex(settings: ReindexSettings): Promise<ReindexReport>
  reembed(settings: ReembedSettings): Promise<ReembedReport>
}

export const sqliteUpkeep = (path: string): Upkeep => ({
  place: `at ${path}`,
  async look() {
    if (!existsSync(path)) return { exists: false, language: null, secured: false, space: null }
    const { recordedLanguage, recordedSpace } = await import('../backends/sqlite/doctor.js')
    // What cannot be looked into is said better by opening it.
    const language = await recordedLanguage(path).catch(() => null)
    return { exists: true, language, secured: false, space: await recordedSpace(path).catch(() => null) }
  },
  reindex: async (settings) =>
    (await import('../backends/sqlite/reindex.js')).reindexSqlite({ ...settings, databasePath: path }),
  reembed: async (settings) =>
    (await import('../backends/sqlite/reembed.js')).reembedSqlite({ ...settings, databasePath: path }),
})

export const postgresqlUpkeep = (url: string): Upkeep => ({
  place: 'in the PostgreSQL database',
  look: async () => (await import('../backends/postgresql/doctor.js')).lookInto(url),
  reindex: async (settings) =>
    (await import('../backends/postgresql/reindex.js')).reindexPostgresql({ ...settings, connectionString: url }),
  reembed: async (settings) =>
    (await import('../backends/postgresql/reembed.js')).reembedPostgresql({ ...settings, connectionString: url }),
})
