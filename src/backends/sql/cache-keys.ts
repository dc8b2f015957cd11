import { sql } from 'drizzle-orm/sql/sql'
import { now, type SqlContext } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { bind, value } from './statement.js'

/** Milliseconds that the process which changes a key has for it, before others forget the key in its place. */
const HEAD_START = 5000

const KEY = { record_id: 'text' } as const
const TOLD = { follower: 'text', record_id: 'text', seen: 'integer' } as const

const statements = perEngine((engine) => {
  const { outbox: o, followers: f } = engine.tables
  const told = { follower: o.follower, recordId: o.recordId, revision: o.revision }
  return {
    tell: engine.statement(
      told,
      () => sql`insert into ${o} (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
        select ${f.name}, ${value('tenantId')}, 'cache', '', k.record_id, ${engine.revision}, 0, ${bind(o.createdAt, 'now')}, ${bind(o.nextAttemptAt, 'due')}
        from ${engine.conditions.rows('keys', KEY)} as k ${engine.join} ${f} on ${f.kind} = 'cache' and ${f.state} <> 'retired' where true
        on conflict (follower, tenant_id, kind, scope, record_id) do update set revision = excluded.revision, attempts = 0,
          next_attempt_at = excluded.next_attempt_at, parked_at = null, error_code = null, lease_owner = null, lease_until = null
        returning ${sql.raw('follower, record_id, revision')}`,
    ),
    done: engine.command(
      () => sql`delete from ${o} where ${o.tenantId} = ${value('tenantId')} and ${o.kind} = 'cache' and ${o.scope} = ''
        and (follower, record_id, revision) in (select k.follower, k.record_id, k.seen from ${engine.conditions.rows('keys', TOLD)} as k)`,
    ),
  }
})

/**
 * Puts what a unit will change in the cache into its own transaction, by name alone: if its process dies before it has
 * changed them, the keys are forgotten.
 *
 * @returns To be called when they are changed; answers false where another unit has changed one of them meanwhile, so that
 * nobody knows whose change was the last. Null where there is no cache beside the memory.
 */
export async function tellOfKeys(
  context: SqlContext,
  session: SqlSession,
  keys: readonly string[],
): Promise<(() => Promise<boolean>) | null> {
  const { engine, tenantId, runner } = context
  const { tell, done } = statements(engine)
  const at = now(context)
  const rows = await session.all(tell, {
    tenantId,
    keys: engine.conditions.encodeRows([...keys].sort().map((key) => [key])),
    now: at,
    due: new Date(at.getTime() + HEAD_START),
  })
  if (rows.length === 0) return null
  return async () => {
    const seen = engine.conditions.encodeRows(
      rows.map(({ follower, recordId, revision }) => [follower, recordId, revision]),
    )
    const removed = await runner.write(async (writing) => writing.run(done, { tenantId, keys: seen }))
    return removed === rows.length
  }
}
