import type Database from 'better-sqlite3'
import type { EmbeddingSpace } from '../../contract/embedder.js'
import { translateError } from './errors.js'
import { indexOf } from './fts.js'

/** What a look into a database file finds, without changing it. */
export interface Examination {
  readonly journalMode: string
  /** Lines of SQLite's own check; empty where all is well. */
  readonly integrity: readonly string[]
  /** Rows whose user or conversation is missing, by table. */
  readonly orphans: Readonly<Record<string, number>>
  readonly analyzer: { readonly language: string; readonly stemmer: string; readonly version: string } | null
  /** Records whose `expiresAt` has passed and that are not purged yet. */
  readonly expired: number
  readonly tenants: number
}

const CHECKED_LINES = 20
const EXPIRING = ['bruno_conversations', 'bruno_sessions', 'bruno_memories', 'bruno_documents']

const tables = (client: Database.Database): Set<string> =>
  new Set(
    client
      .prepare<[], { name: string }>("select name from sqlite_master where type = 'table'")
      .all()
      .map((row) => row.name),
  )

const count = (client: Database.Database, sql: string, ...values: unknown[]): number =>
  Number(client.prepare<unknown[], { n: number | bigint }>(sql).get(...values)?.n ?? 0)

/** The SQLite library's version; throws where the client cannot be loaded. */
export async function clientVersion(): Promise<string> {
  const { default: Sqlite } = await import('better-sqlite3')
  const client = new Sqlite(':memory:')
  try {
    return String(client.prepare<[], { v: string }>('select sqlite_version() as v').get()?.v)
  } finally {
    client.close()
  }
}

async function readonly<T>(path: string, work: (client: Database.Database) => T): Promise<T> {
  const { default: Sqlite } = await import('better-sqlite3')
  let client: Database.Database | null = null
  try {
    client = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 2000 })
    // Functions in a file's own schema must not reach beyond SQL: the file may come from anywhere.
    client.pragma('trusted_schema = OFF')
    return work(client)
  } catch (error) {
    throw translateError(error)
  } finally {
    client?.close()
  }
}

function analyzerOf(client: Database.Database): Examination['analyzer'] {
  if (!tables(client).has('bruno_analyzers')) return null
  const row = client
    .prepare<[], { language: string; stemmer: string; version: string }>(
      "select language, stemmer, stemmer_version as version from bruno_analyzers where id = 'default'",
    )
    .get()
  return row ?? null
}

/** The language that a store was indexed with; `none` without full-text search; null where none is recorded. */
export const recordedLanguage = (path: string): Promise<string | null> =>
  readonly(path, (client) => analyzerOf(client)?.language ?? null)

/** What the vectors of a store are compared by, and their length; null where it has none. */
export const recordedSpace = (path: string): Promise<Pick<EmbeddingSpace, 'metric' | 'dimensions'> | null> =>
  readonly(path, (client) => {
    if (!tables(client).has('bruno_spaces')) return null
    const text = "select metric, dimensions from bruno_spaces where state = 'active' order by created_at desc limit 1"
    return client.prepare<[], Pick<EmbeddingSpace, 'metric' | 'dimensions'>>(text).get() ?? null
  })

/** Reads the whole file once; `now` in milliseconds. */
export const examine = (path: string, now: number): Promise<Examination> =>
  readonly(path, (client) => {
    const known = tables(client)
    const integrity = client.pragma(`integrity_check(${CHECKED_LINES})`) as { integrity_check: string }[]
    const orphans: Record<string, number> = {}
    for (const { table } of client.pragma('foreign_key_check') as { table: string }[])
      orphans[table] = (orphans[table] ?? 0) + 1
    return {
      journalMode: String(client.pragma('journal_mode', { simple: true })),
      integrity: integrity.map((row) => row.integrity_check).filter((line) => line !== 'ok'),
      orphans,
      analyzer: analyzerOf(client),
      expired: EXPIRING.filter((table) => known.has(table)).reduce(
        (n, table) => n + count(client, `select count(*) as n from ${table} where expires_at <= ?`, now),
        0,
      ),
      tenants: known.has('bruno_users') ? count(client, 'select count(distinct tenant_id) as n from bruno_users') : 0,
    }
  })

/** Whether each full-text index agrees with its rows; names those that do not. SQLite's own check needs a write lock. */
export async function brokenSearchIndexes(path: string): Promise<string[]> {
  const { default: Sqlite } = await import('better-sqlite3')
  const client = new Sqlite(path, { fileMustExist: true, timeout: 2000 })
  try {
    const known = tables(client)
    return Object.values(indexOf)
      .filter((index) => known.has(index.name))
      .filter((index) => !agrees(client, index.name))
      .map((index) => index.name)
  } catch (error) {
    throw translateError(error)
  } finally {
    client.close()
  }
}

function agrees(client: Database.Database, index: string): boolean {
  try {
    // Rank 1: compare with the rows of the content table, not only the index with itself.
    client.prepare(`insert into ${index} (${index}, rank) values ('integrity-check', 1)`).run()
    return true
  } catch (error) {
    if (String((error as { code?: unknown }).code).startsWith('SQLITE_CORRUPT')) return false
    throw error
  }
}
