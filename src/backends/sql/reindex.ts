import { sql } from 'drizzle-orm/sql/sql'
import type { JsonObject } from '../../model/records.js'
import { type Analyzer, Analyzers, createAnalyzer } from '../../search/analyzer.js'
import { documentText, memoryText, messageText } from '../../search/fields.js'
import { forgetLanguages, recordedAnalyzer, replaceAnalyzer } from './analyzer.js'
import {
  type MaybePromise,
  perEngine,
  type SearchedTable,
  type SqlEngine,
  type SqlRunner,
  type SqlSession,
  TABLE_OF,
} from './engine.js'
import { count, type Selection } from './statement.js'

export interface ReindexSettings {
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

/** What of a row is indexed, and which row it is. */
export interface IndexedRow {
  readonly tenantId: string
  readonly seq: number
  readonly content: string
  readonly name?: string | null
  /** Of a message's conversation. */
  readonly language?: string | null
  readonly category?: string | null
  readonly tags?: string[]
  readonly metadata?: JsonObject
}

export interface IndexedText {
  readonly row: IndexedRow
  readonly text: string
}

/** How an engine goes over its rows. */
export interface Reindexing {
  readonly engine: SqlEngine
  readonly runner: SqlRunner
  /** The rows behind this one, in an order that does not change; none of them changes before the session's end. */
  next(session: SqlSession, table: SearchedTable, last: IndexedRow | null): MaybePromise<IndexedRow[]>
  store(session: SqlSession, table: SearchedTable, texts: readonly IndexedText[]): MaybePromise<void>
  /** What is left to do when a table's texts are stored. */
  end?(table: SearchedTable): MaybePromise<void>
}

const TABLES = Object.values(TABLE_OF)
/** Stands in the analyzer's record while rows of two analyzers are mixed, so that nobody opens the store meanwhile. */
export const UNFINISHED = 'unfinished'

/** What `IndexedRow` has of each table. */
export function indexedColumns({ tables }: SqlEngine): { readonly [T in SearchedTable]: Selection } {
  const { messages: m, memories, documents: d, conversations: c } = tables
  const language = sql`(select ${c.language} from ${c} where ${c.tenantId} = ${m.tenantId} and ${c.id} = ${m.conversationId})`
  const of = <T extends typeof m | typeof memories | typeof d>({ tenantId, seq, content }: T) => ({
    tenantId,
    seq,
    content,
  })
  return {
    messages: { ...of(m), name: m.name, language: { sql: language, decode: (name) => name as string | null } },
    memories: { ...of(memories), category: memories.category, tags: memories.tags },
    documents: { ...of(d), metadata: d.metadata },
  }
}

const statements = perEngine((engine) => {
  const { conversations: c } = engine.tables
  const all = (table: SearchedTable) =>
    engine.statement({ n: count(sql``) }, () => sql`select count(*) from ${engine.tables[table]}`)
  return {
    counts: TABLES.map(all),
    languages: engine.statement(
      { language: c.language },
      () => sql`select distinct ${c.language} from ${c} where ${c.language} is not null`,
    ),
  }
})

/**
 * Analyses every text again, in batches, and records the analyzer. When it is ended half-way the store refuses to open
 * until it has been run again.
 */
export async function reindexStore(reindexing: Reindexing, settings: ReindexSettings): Promise<ReindexReport> {
  const { engine, runner } = reindexing
  const recorded = await runner.read((session) => recordedAnalyzer(engine, session))
  const known = recorded === null ? 'english' : recorded.language === 'none' ? null : recorded.language
  const analyzer = await createAnalyzer(settings.language === undefined ? known : settings.language)
  const at = new Date(settings.clock())
  const unfinished = { ...analyzer.record, stemmerVersion: UNFINISHED }
  await runner.write((session) => replaceAnalyzer(engine, session, unfinished, at))
  const analyzers = new Analyzers(analyzer)
  const rows = await analyse(reindexing, analyzers, settings)
  await recordAnalyzers(reindexing, analyzers, new Date(settings.clock()))
  return { language: analyzer.record.language, rows }
}

/** What a row is found by, in its language. */
async function textOf(analyzers: Analyzers, table: SearchedTable, row: IndexedRow): Promise<string> {
  const { standard } = analyzers
  if (table === 'memories') return memoryText(standard, row.tenantId, row)
  if (table === 'documents') return documentText(standard, row.tenantId, row)
  return messageText(await analyzers.of(row.language ?? null), row.tenantId, { ...row, name: row.name ?? null })
}

async function analyse(reindexing: Reindexing, analyzers: Analyzers, { onProgress }: ReindexSettings): Promise<number> {
  const { engine, runner } = reindexing
  const counted = await runner.read(async (session) => {
    let sum = 0
    for (const each of statements(engine).counts) sum += (await session.all(each))[0]?.n ?? 0
    return sum
  })
  let done = 0
  for (const table of TABLES) {
    for (let last: IndexedRow | null = null; ; ) {
      const rows: IndexedRow[] = await runner.write((session) => batch(reindexing, session, analyzers, table, last))
      last = rows.at(-1) ?? null
      if (last === null) break
      done += rows.length
      onProgress?.({ done, total: Math.max(done, counted) })
      // Signals and timers get their turn between two batches.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await reindexing.end?.(table)
  }
  return done
}

async function batch(
  { next, store }: Reindexing,
  session: SqlSession,
  analyzers: Analyzers,
  table: SearchedTable,
  last: IndexedRow | null,
): Promise<IndexedRow[]> {
  const rows = await next(session, table, last)
  const texts: IndexedText[] = []
  for (const row of rows) texts.push({ row, text: await textOf(analyzers, table, row) })
  await store(session, table, texts)
  return rows
}

/** The store's analyzer, and those of the languages that conversations name, as this version analyses them. */
async function recordAnalyzers({ engine, runner }: Reindexing, analyzers: Analyzers, at: Date): Promise<void> {
  const named = await runner.read(async (session) => session.all(statements(engine).languages))
  const others: Analyzer['record'][] = []
  for (const { language } of named) {
    const analyzer = await analyzers.of(language)
    if (analyzer !== analyzers.standard) others.push(analyzer.record)
  }
  await runner.write(async (session) => {
    await forgetLanguages(engine, session)
    for (const record of others) await replaceAnalyzer(engine, session, record, at, record.language)
    await replaceAnalyzer(engine, session, analyzers.standard.record, at)
  })
}
