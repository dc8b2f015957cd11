import { sql } from 'drizzle-orm/sql/sql'
import { createMigrator } from '../../migrate/migrator.js'
import { perEngine, type SearchedTable, type SqlEngine } from '../sql/engine.js'
import {
  type IndexedRow,
  indexedColumns,
  type Reindexing,
  type ReindexReport,
  type ReindexSettings,
  reindexStore,
} from '../sql/reindex.js'
import { list, type Statement, value } from '../sql/statement.js'
import { makeRunner } from './backend.js'
import { sqliteEngine } from './engine.js'
import { indexOf } from './fts.js'
import { WriteGate } from './gate.js'
import { sqliteMigrationTarget } from './migration.js'
import { openWriter } from './open.js'
import { SqliteSession } from './session.js'

export interface ReindexOptions extends ReindexSettings {
  readonly databasePath: string
}

const BATCH = 500

const statements = perEngine((engine) => {
  const selections = indexedColumns(engine)
  const of = (table: SearchedTable) => {
    const t = engine.tables[table]
    const page = engine.statement(
      selections[table],
      () => sql`select ${list(selections[table])} from ${t} where ${t.seq} > ${value('seq')} order by ${t.seq}
        limit ${sql.raw(String(BATCH))}`,
    )
    return {
      page: page as unknown as Statement<IndexedRow>,
      write: engine.command(() => sql`update ${t} set search_text = ${value('text')} where seq = ${value('seq')}`),
    }
  }
  return { messages: of('messages'), memories: of('memories'), documents: of('documents') }
})

/** Analyses every text again. No other process may have the store open. */
export async function reindexSqlite(options: ReindexOptions): Promise<ReindexReport> {
  const client = await openWriter({ ...options, durability: 'power', busyTimeout: 5000 })
  try {
    const bundle = await import('../../migrate/bundled/sqlite.js')
    await createMigrator({ target: sqliteMigrationTarget(client), bundle }).up()
    const gate = new WriteGate(new SqliteSession(client, 'write'), { busyTimeout: 5000, writeTimeout: 30_000 })
    const store = { engine: sqliteEngine(), runner: makeRunner(gate, null, client) }
    const end = (table: SearchedTable): void => {
      const { name } = indexOf[table]
      // What the triggers could not follow, such as rows that another program wrote, is put right too.
      client.exec(`insert into ${name} (${name}) values ('rebuild')`)
    }
    return await reindexStore({ ...store, ...rowsOf(store.engine), end }, options)
  } finally {
    client.close()
  }
}

const rowsOf = (engine: SqlEngine): Pick<Reindexing, 'next' | 'store'> => ({
  next: (session, table, last) => session.all(statements(engine)[table].page, { seq: last?.seq ?? 0 }),
  async store(session, table, texts) {
    const { write } = statements(engine)[table]
    for (const { row, text } of texts) await session.run(write, { seq: row.seq, text })
  },
})
