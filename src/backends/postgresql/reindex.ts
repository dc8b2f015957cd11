import { type SQL, sql } from 'drizzle-orm/sql/sql'
import { perEngine, type SearchedTable, type SqlSession } from '../sql/engine.js'
import {
  type IndexedRow,
  indexedColumns,
  type Reindexing,
  type ReindexReport,
  type ReindexSettings,
  reindexStore,
} from '../sql/reindex.js'
import { list, type Statement, value } from '../sql/statement.js'
import { arrayOf } from './arrays.js'
import { maintain } from './maintenance.js'

export interface ReindexOptions extends ReindexSettings {
  readonly connectionString: string
}

/** Rows of one batch, fewer where their texts are long. */
const BATCH = 500
const BATCH_BYTES = 8 * 1024 * 1024

const statements = perEngine((engine) => {
  const selections = indexedColumns(engine)
  const of = (table: SearchedTable) => {
    const t = engine.tables[table]
    const behind = sql`(tenant_id, seq) > (${value('tenantId')}, ${value('seq')})`
    // The size of a long text is told without reading it. The first row is taken whatever its size.
    const chosen: SQL = sql`select tenant_id, seq from (
        select tenant_id, seq, sum(bytes) over (order by tenant_id, seq) - bytes as before from (
          select tenant_id, seq, octet_length(content) as bytes from ${t} where ${behind}
          order by tenant_id, seq limit ${sql.raw(String(BATCH))}) as next
      ) as counted where before < ${sql.raw(String(BATCH_BYTES))}`
    const page = engine.statement(
      selections[table],
      () => sql`select ${list(selections[table])} from ${t}
        join (${chosen}) as chosen on chosen.tenant_id = ${t.tenantId} and chosen.seq = ${t.seq}
        order by ${t.tenantId}, ${t.seq} for update of ${t}`,
    )
    return {
      page: page as unknown as Statement<IndexedRow>,
      more: engine.statement({ seq: t.seq }, () => sql`select ${t.seq} from ${t} where ${behind} limit 1`),
      // No version of a row that has its text already: a second run after one that was stopped writes little.
      write: engine.command(
        () => sql`update ${t} set search_text = u.text
          from unnest(${value('tenants')}::text[], ${value('seqs')}::bigint[], ${value('texts')}::text[]) as u(tenant_id, seq, text)
          where ${t.tenantId} = u.tenant_id and ${t.seq} = u.seq and search_text is distinct from u.text`,
      ),
    }
  }
  return { messages: of('messages'), memories: of('memories'), documents: of('documents') }
})

/** Analyses every text again. A process that has the store open meanwhile goes on with the analyzer that it has. */
export const reindexPostgresql = (options: ReindexOptions): Promise<ReindexReport> =>
  maintain(options.connectionString, ({ engine, runner }) => {
    const rows = statements(engine)
    const next = async (session: SqlSession, table: SearchedTable, last: IndexedRow | null): Promise<IndexedRow[]> => {
      const { page, more } = rows[table]
      const values = { tenantId: last?.tenantId ?? '', seq: last?.seq ?? 0 }
      for (;;) {
        const found = await session.all(page, values)
        // Rows that others were deleting when they were chosen are not among them: that alone is not the end.
        if (found.length > 0 || (await session.all(more, values)).length === 0) return found
      }
    }
    const store: Reindexing['store'] = async (session, table, texts) => {
      if (texts.length === 0) return
      await session.run(rows[table].write, {
        tenants: arrayOf(texts.map(({ row }) => row.tenantId)),
        seqs: arrayOf(texts.map(({ row }) => row.seq)),
        texts: arrayOf(texts.map(({ text }) => text)),
      })
    }
    return reindexStore({ engine, runner, next, store }, options)
  })
