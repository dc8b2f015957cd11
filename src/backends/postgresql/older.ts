import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm/sql/sql'
import { TimeoutError } from '../../errors.js'
import { perEngine, type SqlEngine, type SqlRunner, type SqlSession } from '../sql/engine.js'
import { value } from '../sql/statement.js'

/** Milliseconds that are waited for transactions of others. */
const LONGEST = 60_000
const PAUSE = 20

const statements = perEngine((engine) => ({
  mine: engine.statement({ id: { sql: sql``, decode: String } }, () => sql`select pg_current_xact_id()::text`),
  ended: engine.statement(
    { ended: { sql: sql``, decode: Boolean } },
    () => sql`select pg_snapshot_xmin(pg_current_snapshot()) > ${value('id')}::text::xid8`,
  ),
  // Only upwards: a number that another one has drawn meanwhile is not drawn twice.
  raise: engine.statement(
    { raised: { sql: sql``, decode: Number } },
    () =>
      sql`select setval('bruno_revision', ${value('above')}::bigint) from bruno_revision where last_value < ${value('above')}::bigint`,
  ),
}))

/**
 * Waits until every transaction that has written anything by now has ended.
 *
 * @throws TimeoutError where one stays open.
 */
export async function olderEnded(engine: SqlEngine, runner: SqlRunner): Promise<void> {
  const { mine, ended } = statements(engine)
  const [own] = await runner.write(async (session) => session.all(mine))
  const look = runner.current ?? runner.read
  for (let waited = 0; ; waited += PAUSE) {
    const [found] = await look(async (session) => session.all(ended, { id: own?.id }))
    if (found?.ended) return
    if (waited >= LONGEST)
      throw new TimeoutError(
        `a transaction has been open in PostgreSQL for more than ${LONGEST / 1000} s, and a follower begins only when it has ended: see pg_stat_activity`,
      )
    await sleep(PAUSE)
  }
}

export async function raiseRevision(engine: SqlEngine, session: SqlSession, above: number): Promise<void> {
  await session.all(statements(engine).raise, { above })
}
