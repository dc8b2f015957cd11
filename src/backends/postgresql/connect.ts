import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type postgres from 'postgres'
import { ConfigurationError } from '../../errors.js'
import { dial, type Host, hostsOf, Locator, URL_FORM } from './hosts.js'
import { parseInstant } from './instants.js'

/** How postgres.js is ended, when nothing is under way any more: it waits for a connection that was lost for ever. */
export const END = { timeout: 0.5 }

export type Sql = postgres.Sql<Record<string, never>>

/** What every connection of a store is opened with. */
export interface ConnectionSettings {
  readonly connectionString: string
  readonly applicationName: string
  readonly ssl: boolean | 'require' | 'verify-full' | TlsOptions | undefined
  /** False behind a pooler that gives every transaction another connection. */
  readonly prepare: boolean
  readonly connectTimeout: number
  readonly statementTimeout: number
  readonly idleInTransactionTimeout: number
  readonly durability: 'power' | 'process'
  /** Whether it must be the server that accepts writes. */
  readonly readWrite: boolean
}

const asIs = (value: unknown): unknown => value
/** JSON goes both ways as text: Drizzle's columns read and write it. */
const TYPES = {
  json: { to: 114, from: [114, 3802], serialize: asIs, parse: asIs },
  date: { to: 1184, from: [1082, 1114, 1184], serialize: asIs, parse: parseInstant },
  bigint: { to: 20, from: [20], serialize: String, parse: Number },
  numeric: { to: 1700, from: [1700], serialize: String, parse: Number },
  // Lists go as text in the server's own form.
  texts: { to: 1009, from: [1009], serialize: asIs, parse: asIs },
}

/** Settings that a connection starts with. A transaction pooler refuses or forgets most of them. */
function startParameters(settings: ConnectionSettings): Record<string, string | number> {
  const { applicationName, prepare, statementTimeout, idleInTransactionTimeout, durability } = settings
  const always = { application_name: applicationName, DateStyle: 'ISO', TimeZone: 'UTC' }
  if (!prepare) return always
  return {
    ...always,
    statement_timeout: statementTimeout,
    idle_in_transaction_session_timeout: idleInTransactionTimeout,
    synchronous_commit: durability === 'power' ? 'on' : 'off',
    // The default is a spinning disk's: the planner would read a whole table instead of fifty places of its index.
    random_page_cost: 1.1,
  }
}

async function loadClient(): Promise<typeof postgres> {
  try {
    return (await import('postgres')).default
  } catch (cause) {
    throw new ConfigurationError('PostgreSQL needs its client: npm install postgres', { cause })
  }
}

/** Makes postgres.js instances that are alike but for their size. */
export async function connector(settings: ConnectionSettings): Promise<(max: number, onclose?: () => void) => Sql> {
  const client = await loadClient()
  const { hosts, single } = hostsOf(settings.connectionString)
  const make = (max: number, socket: () => unknown, onclose?: () => void): Sql => {
    const options = {
      max,
      prepare: settings.prepare,
      fetch_types: false,
      types: TYPES,
      onnotice: () => {},
      connect_timeout: settings.connectTimeout / 1000,
      idle_timeout: undefined,
      max_lifetime: null,
      backoff: (retries: number) => Math.min(0.5, 0.02 * 2 ** retries),
      connection: startParameters(settings),
      socket,
      ...(settings.ssl !== undefined && { ssl: settings.ssl }),
      ...(onclose && { onclose }),
    }
    try {
      return client(single, options as unknown as postgres.Options<Record<string, never>>) as unknown as Sql
    } catch {
      throw new ConfigurationError(`option connectionString: cannot be read: ${URL_FORM}`)
    }
  }
  const [only] = hosts
  if (only && hosts.length === 1)
    return (max, onclose) => make(max, () => dial(only, settings.statementTimeout), onclose)
  const locator = new Locator(hosts, (host) => fits(host, settings, make), settings.statementTimeout)
  return (max, onclose) => make(max, () => locator.open(), onclose)
}

async function fits(
  host: Host,
  { readWrite, statementTimeout }: ConnectionSettings,
  make: (max: number, socket: () => unknown) => Sql,
): Promise<boolean> {
  const sql = make(1, () => dial(host, statementTimeout))
  try {
    const [row] = await sql.unsafe('select pg_is_in_recovery() as follows')
    return !readWrite || row?.follows === false
  } catch {
    return false
  } finally {
    await sql.end(END)
  }
}
