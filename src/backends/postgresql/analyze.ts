import { sql } from 'drizzle-orm/sql/sql'
import { perEngine, type SqlEngine, type SqlSession } from '../sql/engine.js'
import { value } from '../sql/statement.js'

const TABLES = ['messages', 'memories', 'documents', 'embeddings'] as const

const statements = perEngine((engine) =>
  TABLES.map((name) => ({
    known: engine.statement(
      { n: { sql: sql``, decode: Number } },
      () => sql`select reltuples from pg_class where oid = to_regclass(${`bruno_${name}`})
        and reltuples < ${value('least')}::bigint and pg_relation_size(oid) > 0`,
    ),
    analyze: engine.command(() => sql`analyze ${engine.tables[name]}`),
  })),
)

/**
 * Without statistics PostgreSQL takes every index that begins with the tenant to be as good as the key. The server itself
 * looks within the first minute of a table; whoever writes much is there before.
 */
export async function analyze(engine: SqlEngine, session: SqlSession, least: number): Promise<void> {
  for (const { known, analyze } of statements(engine))
    if ((await session.all(known, { least })).length > 0) await session.run(analyze)
}
