import type { PostgresqlOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'
import { PostgresqlClient } from './client.js'
import { type ConnectionSettings, connector, END, type Sql } from './connect.js'
import { translateError } from './errors.js'
import { Replicas } from './replicas.js'
import { checkRowLevelSecurity, installRowLevelSecurity } from './row-level-security.js'

const defaults = {
  poolSize: 10,
  acquireTimeout: 10_000,
  connectTimeout: 10_000,
  statementTimeout: 30_000,
  idleInTransactionTimeout: 60_000,
  replicaWait: 50,
}

/** The connections of a store. */
export interface Connections {
  readonly client: PostgresqlClient
  readonly maintenance: PostgresqlClient | null
  readonly replicas: Replicas | null
  close(): Promise<void>
}

export function connectionOf(
  options: PostgresqlOptions,
  changes: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  return {
    connectionString: options.connectionString,
    applicationName: options.applicationName ?? 'bruno-memory',
    ssl: options.ssl,
    prepare: options.prepare ?? true,
    connectTimeout: options.connectTimeout ?? defaults.connectTimeout,
    statementTimeout: options.statementTimeout ?? defaults.statementTimeout,
    idleInTransactionTimeout: options.idleInTransactionTimeout ?? defaults.idleInTransactionTimeout,
    durability: options.durability ?? 'power',
    readWrite: true,
    ...changes,
  }
}

async function clientOf(options: PostgresqlOptions, size: number, changes: Partial<ConnectionSettings> = {}) {
  const connection = connectionOf(options, changes)
  // Under row-level security every statement is in a transaction; on one connection everything has its turn.
  const statements = size === 1 ? 0 : options.rowLevelSecurity ? 1 : Math.ceil(size / 2)
  const { acquireTimeout = defaults.acquireTimeout } = options
  const pool = { statements, transactions: size - statements, acquireTimeout }
  return new PostgresqlClient({ ...pool, statementTimeout: connection.statementTimeout }, await connector(connection))
}

export async function openConnections(options: PostgresqlOptions): Promise<Connections> {
  const { poolSize = defaults.poolSize, maintenanceConnectionString, replicas = [] } = options
  const client = await clientOf(options, poolSize)
  const maintenance =
    maintenanceConnectionString === undefined
      ? null
      : await clientOf({ ...options, rowLevelSecurity: false }, 2, { connectionString: maintenanceConnectionString })
  const followers = await Promise.all(
    replicas.map((connectionString) => clientOf(options, poolSize, { connectionString, readWrite: false })),
  )
  return {
    client,
    maintenance,
    replicas:
      followers.length > 0 ? new Replicas(client, followers, options.replicaWait ?? defaults.replicaWait) : null,
    async close() {
      await Promise.all([client, maintenance, ...followers].map((each) => each?.close()))
    },
  }
}

/** Installs row-level security over a connection of its own. */
export async function secureDatabase(connectionString: string, to: string | undefined) {
  const client = await clientOf({ connectionString }, 1)
  try {
    return await installRowLevelSecurity(asking(client), to)
  } finally {
    await client.close()
  }
}

/** A connection of its own, of the role that may do most, which may take its time. */
export async function unlimited(options: PostgresqlOptions): Promise<Sql> {
  const { connectionString, maintenanceConnectionString } = options
  const changes = { connectionString: maintenanceConnectionString ?? connectionString }
  const connect = await connector(
    connectionOf(options, { ...changes, statementTimeout: 0, idleInTransactionTimeout: 0 }),
  )
  return connect(1)
}

/** Work on a connection of its own, of the role that may do most, which may take its time. */
export async function aside<T>(
  options: PostgresqlOptions,
  work: (ask: (text: string) => Promise<readonly (readonly unknown[])[]>) => Promise<T>,
): Promise<T> {
  const sql = await unlimited(options)
  try {
    return await work(async (text) => (await sql.unsafe(text).values()) as unknown as readonly (readonly unknown[])[])
  } catch (error) {
    throw translateError(error)
  } finally {
    await sql.end(END)
  }
}

/** Rows of a query without values. */
export const asking =
  (client: PostgresqlClient) =>
  async (text: string): Promise<readonly (readonly unknown[])[]> => {
    try {
      return await client.channel('read').query(text, [], false)
    } catch (error) {
      throw translateError(error)
    }
  }

/** Refuses options under which the policies would not hold, or the upkeep would silently do nothing. */
export async function checkSecurity(options: PostgresqlOptions, { client }: Connections, embeds: boolean) {
  if (!options.rowLevelSecurity) return
  await checkRowLevelSecurity(asking(client))
  if (embeds && options.maintenanceConnectionString === undefined)
    throw new ConfigurationError(
      'option maintenanceConnectionString: is required where rowLevelSecurity and an embeddingFunction are: vectors are made for all tenants',
    )
}

/** Refuses a role that does not see the tables: their schema is not named in statements. */
export async function checkSearchPath(client: PostgresqlClient): Promise<void> {
  const [row] = await asking(client)("select to_regclass('bruno_messages') is not null, current_setting('search_path')")
  if (row?.[0] !== true)
    throw new ConfigurationError(
      `the schema public, where the tables are, is not on the search_path of this role or database (${String(row?.[1])}): alter role … set search_path = …, public`,
    )
}

/** What the server really does with a commit. */
export async function findDurability(client: PostgresqlClient): Promise<'power' | 'process'> {
  const [row] = await asking(client)("select current_setting('fsync'), current_setting('synchronous_commit')")
  return row?.[0] === 'on' && row[1] !== 'off' ? 'power' : 'process'
}
