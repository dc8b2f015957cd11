import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { now, type SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { vectorStatements } from './vector-statements.js'

/** Rows that a follower is told of in one transaction. */
const SEEDED = 20_000

/** Hands a follower everything that is there. */
export async function seed(
  store: SqlStoreContext,
  runner: SqlRunner,
  follower: string,
  kinds: readonly SearchKind[] = SEARCH_KINDS,
): Promise<void> {
  // Whoever wrote before the follower was seen by all has told it nothing: their rows must be seen here.
  await store.engine.olderEnded?.(runner)
  const s = vectorStatements(store.engine)
  const look = runner.current ?? runner.read
  for (const kind of kinds) {
    const last = (await look(async (session) => session.all(s[kind].last)))[0]?.n ?? 0
    for (let after = 0; after < last; after += SEEDED) {
      const values = { follower, after, upTo: after + SEEDED, now: now(store) }
      await runner.write(async (session) => session.run(s[kind].enqueue, values))
    }
  }
}
