import type { PostgresqlOptions } from '../../contract/options.js'
import { createMigrator } from '../../migrate/migrator.js'
import { connector, END } from './connect.js'
import { translateError } from './errors.js'
import { type PostgresqlMigrationClient, postgresqlMigrationTarget } from './migration.js'
import { connectionOf } from './open.js'

/** Brings the schema up to date, or checks it: a role that policies bind can only look. */
export async function migrate(options: PostgresqlOptions): Promise<void> {
  const { connectionString, maintenanceConnectionString, rowLevelSecurity } = options
  const check = options.migrate === 'check' || (rowLevelSecurity && maintenanceConnectionString === undefined)
  const connect = await connector(
    connectionOf(options, {
      connectionString: maintenanceConnectionString ?? connectionString,
      statementTimeout: 0,
      idleInTransactionTimeout: 0,
    }),
  )
  const sql = connect(1)
  try {
    const bundle = await import('../../migrate/bundled/postgresql.js')
    const target = postgresqlMigrationTarget(sql as unknown as PostgresqlMigrationClient)
    const migrator = createMigrator({ target, bundle })
    if (check) await migrator.check()
    else await migrator.up()
  } catch (error) {
    throw translateError(error)
  } finally {
    await sql.end(END)
  }
}
