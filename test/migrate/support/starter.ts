/** A process that migrates a database when told to, for tests with many processes and for those that kill one. */
import type { PostgresqlMigrationClient } from '../../../src/backends/postgresql/migration.js'
import { createMigrator, type Migrator } from '../../../src/migrate/migrator.js'

/** SIGKILL when this many statements have run; 0 never. */
const [url = '', killAfter = '0'] = process.argv.slice(2)
let left = Number(killAfter)

/** Nothing of this process runs after its own SIGKILL. */
const die = (): void => {
  if (left > 0 && --left === 0) process.kill(process.pid, 'SIGKILL')
}

interface Started {
  readonly migrator: Migrator
  end(): unknown
}

async function onSqlite(): Promise<Started> {
  const { default: Database } = await import('better-sqlite3')
  const { sqliteMigrationTarget } = await import('../../../src/backends/sqlite/migration.js')
  const bundle = await import('../../../src/migrate/bundled/sqlite.js')
  const client = new Database(url)
  const exec = client.exec.bind(client)
  client.exec = (sql) => {
    const result = exec(sql)
    die()
    return result
  }
  return {
    migrator: createMigrator({ target: sqliteMigrationTarget(client), bundle }),
    end: () => client.close(),
  }
}

async function onPostgresql(): Promise<Started> {
  const { default: postgres } = await import('postgres')
  const { postgresqlMigrationTarget } = await import('../../../src/backends/postgresql/migration.js')
  const bundle = await import('../../../src/migrate/bundled/postgresql.js')
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const counted: PostgresqlMigrationClient = {
    unsafe: (text) => sql.unsafe(text),
    begin: (work) =>
      sql.begin((transaction) =>
        work({
          unsafe: async (text) => {
            const rows = await transaction.unsafe(text)
            die()
            return rows
          },
        }),
      ),
  }
  return {
    migrator: createMigrator({ target: postgresqlMigrationTarget(counted), bundle }),
    end: () => sql.end({ timeout: 5 }),
  }
}

const { migrator, end } = url.startsWith('postgres') ? await onPostgresql() : await onSqlite()
// All wait for one signal, so that their starts collide although processes come up one after the other.
process.stdout.write('ready\n')
process.stdin.once('data', async () => {
  try {
    process.stdout.write(`${JSON.stringify(await migrator.up())}\n`)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`)
  }
  await end()
  process.exit(0)
})
