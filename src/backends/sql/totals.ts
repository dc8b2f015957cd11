import { sql } from 'drizzle-orm/sql/sql'
import { LRUCache } from 'lru-cache'
import { type SqlContext, tenantIs } from './context.js'
import { perEngine, type SearchedTable, type SqlSession } from './engine.js'
import { count } from './statement.js'

/** Up to here a tenant's records are counted at each search. */
const COUNTED = 10_000
/** Milliseconds for which a larger count is taken as it was: its logarithm hardly moves. */
const KEPT = 60_000

const totals = perEngine((engine) => {
  const of = (table: SearchedTable) => {
    const t = engine.tables[table]
    const selection = { n: count(sql``) }
    return {
      some: engine.statement(
        selection,
        () =>
          sql`select count(*) from (select 1 from ${t} where ${tenantIs(t.tenantId)} limit ${sql.raw(String(COUNTED + 1))}) as counted`,
      ),
      all: engine.statement(selection, () => sql`select count(*) from ${t} where ${tenantIs(t.tenantId)}`),
    }
  }
  return {
    statements: { messages: of('messages'), memories: of('memories'), documents: of('documents') },
    known: new LRUCache<string, { readonly n: number; readonly at: number }>({ max: 10_000 }),
  }
})

/** How many records the tenant has: exact up to 10,000, beyond that at most a minute old. */
export async function total(context: SqlContext, session: SqlSession, table: SearchedTable): Promise<number> {
  const { statements, known } = totals(context.engine)
  const { tenantId } = context
  const name = `${table} ${tenantId}`
  const at = context.clock()
  const old = known.get(name)
  if (old && Math.abs(at - old.at) < KEPT) return old.n
  const [some] = await session.all(statements[table].some, { tenantId })
  const n = some?.n ?? 0
  if (n <= COUNTED) return n
  const [all] = await session.all(statements[table].all, { tenantId })
  known.set(name, { n: all?.n ?? n, at })
  return all?.n ?? n
}
