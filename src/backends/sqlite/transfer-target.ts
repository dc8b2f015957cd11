import { resolve } from 'node:path'
import type { TransferTarget } from '../../contract/transfer.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { SqlRunner } from '../sql/engine.js'
import { SqlTarget } from '../sql/transfer-target.js'
import type { WriteGate } from './gate.js'
import { sqliteLoader } from './transfer-loader.js'

/** What everything can be moved to: an open file. */
export async function sqliteTarget(
  databasePath: string,
  store: SqlStoreContext,
  runner: SqlRunner,
  gate: WriteGate,
): Promise<TransferTarget> {
  const { migrations } = await import('../../migrate/bundled/sqlite.js')
  const side = { backend: 'sqlite', place: resolve(databasePath), schema: migrations.at(-1)?.tag ?? null }
  return new SqlTarget({ store, runner, loader: sqliteLoader(gate), side })
}
