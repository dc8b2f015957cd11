import type Database from 'better-sqlite3'
import { createMigrator } from '../../migrate/migrator.js'
import type { JsonObject } from '../../model/records.js'
import { type Analyzer, Analyzers, createAnalyzer } from '../../search/analyzer.js'
import { documentText, memoryText, messageText } from '../../search/fields.js'
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
    const analyzers = new Analyzers(analyzer)
    const rows = await analyse(client, analyzers, options)
    await recordLanguages(client, analyzers, options.clock())
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
  id = 'default',
): void {
  client
    .prepare(
      `insert into bruno_analyzers (id, stemmer, stemmer_version, language, cjk, created_at, updated_at, version, revision)
       values (?, ?, ?, ?, ?, ?, ?, 1, 0) on conflict (id) do update set stemmer = excluded.stemmer,
       stemmer_version = excluded.stemmer_version, language = excluded.language, cjk = excluded.cjk,
       updated_at = excluded.updated_at, version = version + 1`,
    )
    .run(id, stemmer, stemmerVersion, language, cjk, now, now)
}

interface Row {
  readonly seq: number
  readonly tenant_id: string
  readonly content: string
  readonly name: string | null
  readonly language: string | null
  readonly category: string | null
  readonly tags: string
  readonly metadata: string
}

const READ: { readonly [T in SearchedTable]: string } = {
  messages: `select m.seq, m.tenant_id, m.content, m.name, c.language from bruno_messages as m
    left join bruno_conversations as c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    where m.seq > ? order by m.seq limit ${BATCH}`,
  memories: `select seq, tenant_id, content, category, tags from bruno_memories where seq > ? order by seq limit ${BATCH}`,
  documents: `select seq, tenant_id, content, metadata from bruno_documents where seq > ? order by seq limit ${BATCH}`,
}

/** What a row is found by, in its language. */
async function textOf(analyzers: Analyzers, table: SearchedTable, row: Row): Promise<string> {
  const { standard } = analyzers
  if (table === 'memories')
    return memoryText(standard, row.tenant_id, { ...row, tags: JSON.parse(row.tags) as string[] })
  if (table === 'documents')
    return documentText(standard, row.tenant_id, { ...row, metadata: JSON.parse(row.metadata) as JsonObject })
  return messageText(await analyzers.of(row.language), row.tenant_id, row)
}

async function analyse(client: Database.Database, analyzers: Analyzers, options: ReindexOptions): Promise<number> {
  const count = (table: SearchedTable): number =>
    client.prepare(`select count(*) from ${indexOf[table].table}`).pluck().get() as number
  const total = TABLES.reduce((sum, table) => sum + count(table), 0)
  let done = 0
  for (const table of TABLES) {
    const { name, table: rowsOf } = indexOf[table]
    const read = client.prepare(READ[table])
    const write = client.prepare(`update ${rowsOf} set search_text = ? where seq = ?`)
    const batch = client.transaction((texts: readonly (readonly [text: string, seq: number])[]) => {
      for (const [text, seq] of texts) write.run(text, seq)
    })
    for (let last = 0; ; ) {
      const rows = read.all(last) as Row[]
      if (rows.length === 0) break
      batch.immediate(
        await Promise.all(rows.map(async (row) => [await textOf(analyzers, table, row), row.seq] as const)),
      )
      last = rows.at(-1)?.seq ?? last
      done += rows.length
      options.onProgress?.({ done, total })
      // Signals and timers get their turn between two batches.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    // What the triggers could not follow, such as rows that another program wrote, is put right too.
    client.exec(`insert into ${name} (${name}) values ('rebuild')`)
  }
  return total
}

/** The languages that conversations name, as this version analyses them. */
async function recordLanguages(client: Database.Database, analyzers: Analyzers, now: number): Promise<void> {
  client.prepare("delete from bruno_analyzers where id <> 'default'").run()
  const languages = client
    .prepare<[], string>('select distinct language from bruno_conversations where language is not null')
    .pluck()
    .all()
  for (const language of languages) {
    const analyzer = await analyzers.of(language)
    if (analyzer !== analyzers.standard) record(client, analyzer.record, now, `language:${language}`)
  }
}
