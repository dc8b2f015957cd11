import type { PostgresqlOptions } from '../../contract/options.js'
import type { TransferTarget } from '../../contract/transfer.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { SqlRunner } from '../sql/engine.js'
import { SqlTarget } from '../sql/transfer-target.js'
import { databasePlace } from './place.js'
import { PostgresqlLoader } from './transfer-loader.js'

/** What everything can be moved to: an open database, on a connection of its own. */
export async function postgresqlTarget(
  options: PostgresqlOptions,
  store: SqlStoreContext,
  runner: SqlRunner,
): Promise<TransferTarget> {
  const { migrations } = await import('../../migrate/bundled/postgresql.js')
  const place = databasePlace(options.connectionString)
  const side = { backend: 'postgresql', place, schema: migrations.at(-1)?.tag ?? null }
  return new SqlTarget({ store, runner, loader: new PostgresqlLoader(options), side })
}
