import type Database from 'better-sqlite3'
import { createMigrator } from '../../migrate/migrator.js'
import { type Analyzer, createAnalyzer } from '../../search/analyzer.js'
import type { SearchedTable } from '../sql/engine.js'
import { indexOf } from './fts.js'
import { sqliteMigrationTarget } from './migration.js'
import { openWriter } from './open.js'

export interface ReindexOptions {
  readonly databasePath: string
  /** The language to index for; null indexes nothing. Default: the one that is recorded, or `english`. */
  readonly language?: string | null | undefined
  readonly clock: () => number
  /** Called after each batch. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

export interface ReindexReport {
  readonly language: string
  readonly rows: number
}

const BATCH = 500
const TABLES = Object.keys(indexOf) as SearchedTable[]
/** Stands in the analyzer's record while rows of two analyzers are mixed, so that nobody opens the store meanwhile. */
const UNFINISHED = 'unfinished'

/**
 * Analyses every text again, in batches, and records the analyzer. No other process may have the store open. When it is
 * ended half-way the store refuses to open until it has been run again.
 */
export async function reindexSqlite(options: ReindexOptions): Promise<ReindexReport> {
  const client = await openWriter({ ...options, durability: 'power', busyTimeout: 5000 })
  try {
    const bundle = await import('../../migrate/bundled/sqlite.js')
    await createMigrator({ target: sqliteMigrationTarget(client), bundle }).up()
    const recorded = client.prepare("select language from bruno_analyzers where id = 'default'").pluck().get() as
      | string
      | undefined
    const known = recorded === undefined ? 'english' : recorded === 'none' ? null : recorded
    const analyzer = await createAnalyzer(options.language === undefined ? known : options.language)
    record(client, { ...analyzer.record, stemmerVersion: UNFINISHED }, options.clock())
    const rows = await analyse(client, analyzer, options)
    record(client, analyzer.record, options.clock())
    return { language: analyzer.record.language, rows }
  } finally {
    client.close()
  }
}

function record(
  client: Database.Database,
  { stemmer, stemmerVersion, language, cjk }: Analyzer['record'],
  now: number,
): void {
  client
    .prepare(
      `insert into bruno_analyzers (id, stemmer, stemmer_version, language, cjk, created_at, updated_at, version, revision)
       values ('default', ?, ?, ?, ?, ?, ?, 1, 0) on conflict (id) do update set stemmer = excluded.stemmer,
       stemmer_version = excluded.stemmer_version, language = excluded.language, cjk = excluded.cjk,
       updated_at = excluded.updated_at, version = version + 1`,
    )
    .run(stemmer, stemmerVersion, language, cjk, now, now)
}

async function analyse(client: Database.Database, analyzer: Analyzer, options: ReindexOptions): Promise<number> {
  const count = (table: SearchedTable): number =>
    client.prepare(`select count(*) from ${indexOf[table].table}`).pluck().get() as number
  const total = TABLES.reduce((sum, table) => sum + count(table), 0)
  let done = 0
  for (const table of TABLES) {
    const name = indexOf[table].table
    const read = client.prepare(`select seq, tenant_id, content from ${name} where seq > ? order by seq limit ${BATCH}`)
    const write = client.prepare(`update ${name} set search_text = ? where seq = ?`)
    const batch = client.transaction((rows: readonly { seq: number; tenant_id: string; content: string }[]) => {
      for (const row of rows) write.run(analyzer.searchText(row.tenant_id, row.content), row.seq)
    })
    for (let last = 0; ; ) {
      const rows = read.all(last) as { seq: number; tenant_id: string; content: string }[]
      if (rows.length === 0) break
      batch.immediate(rows)
      last = rows.at(-1)?.seq ?? last
      done += rows.length
      options.onProgress?.({ done, total })
      // Signals and timers get their turn between two batches.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    // What the triggers could not follow, such as rows that another program wrote, is put right too.
    client.exec(`insert into ${indexOf[table].name} (${indexOf[table].name}) values ('rebuild')`)
  }
  return total
}
