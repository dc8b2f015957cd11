import { sql } from 'drizzle-orm/sql/sql'
import { UnsupportedError } from '../../errors.js'
import { perEngine } from '../sql/engine.js'
import { type ReembedReport, type ReembedSettings, reembedStore } from '../sql/reembed.js'
import { count, value } from '../sql/statement.js'
import { type Maintenance, maintain } from './maintenance.js'
import { indexMissing, prepareVectors } from './vectors.js'

export interface ReembedOptions extends ReembedSettings {
  readonly connectionString: string
}

/** Vectors deleted in one transaction. */
const BATCH = 5000

const statements = perEngine((engine) => {
  const { embeddings: e } = engine.tables
  const behind = sql`(tenant_id, seq) > (${value('tenantId')}, ${value('seq')})`
  return {
    /** Where a batch ends; nothing where what is left is the last. */
    end: engine.statement(
      { tenantId: e.tenantId, seq: e.seq },
      () =>
        sql`select ${e.tenantId}, ${e.seq} from ${e} where ${behind} order by tenant_id, seq offset ${sql.raw(String(BATCH))} limit 1`,
    ),
    drop: engine.statement(
      { n: count(sql``) },
      () => sql`with dropped as (delete from ${e} where ${e.space} <> ${value('space')} and ${behind}
        and (${value('endTenant')}::text is null or (tenant_id, seq) <= (${value('endTenant')}, ${value('endSeq')}::bigint)) returning 1)
        select count(*) from dropped`,
    ),
  }
})

/** In batches: the rows that go with each vector are kept in memory until its transaction ends. */
async function dropOthers({ engine, runner }: Maintenance, space: string): Promise<number> {
  const { end, drop } = statements(engine)
  let dropped = 0
  for (let last: { tenantId: string; seq: number } | undefined = { tenantId: '', seq: 0 }; last; ) {
    const from: { tenantId: string; seq: number } = last
    const batch = await runner.write(async (session) => {
      const [to] = await session.all(end, from)
      const values = { ...from, space, endTenant: to?.tenantId ?? null, endSeq: to?.seq ?? null }
      return { to, n: (await session.all(drop, values))[0]?.n ?? 0 }
    })
    dropped += batch.n
    last = batch.to
  }
  return dropped
}

/** Makes the vectors of every record anew. A process that has the store open with another model must be ended first. */
export async function reembedPostgresql(options: ReembedOptions): Promise<ReembedReport> {
  try {
    return await maintain(options.connectionString, async (maintenance) => {
      const absent = await prepareVectors(true, maintenance.ask)
      if (absent !== null) throw new UnsupportedError('vectorSearch', absent)
      await indexMissing(maintenance.engine, maintenance.runner)
      return reembedStore({ ...maintenance, dropOthers: (space) => dropOthers(maintenance, space) }, options)
    })
  } finally {
    await options.vectors.embedder?.close()
  }
}
