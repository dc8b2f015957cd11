import { sql } from 'drizzle-orm/sql/sql'
import type { Move, MovePhase } from '../../contract/online.js'
import { MovedError } from '../../errors.js'
import type { SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner } from './engine.js'

const statements = perEngine((engine) => {
  const { followers: f } = engine.tables
  return {
    move: engine.statement(
      { settings: f.settings },
      () => sql`select ${f.settings} from ${f} where ${f.name} = 'transfer'`,
    ),
  }
})

/** How far the move of a store is; null where it is not being moved. */
export async function moveOf(store: SqlStoreContext, runner: SqlRunner): Promise<Move | null> {
  const look = runner.current ?? runner.read
  const [row] = await look(async (session) => session.all(statements(store.engine).move))
  if (!row) return null
  const { phase, place } = row.settings
  return { phase: phase as MovePhase, place: String(place) }
}

/** Refuses a store whose records are elsewhere by now: what is read here may be old. */
export async function checkMoved(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
  const move = await moveOf(store, runner)
  if (move?.phase === 'moved') throw new MovedError(`this memory has been moved to ${move.place}: open that one`)
}
