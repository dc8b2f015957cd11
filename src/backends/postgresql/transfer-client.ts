import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Client, ClientConfig, QueryArrayConfig } from 'pg'
import type { PostgresqlOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'
import type { SqlSession } from '../sql/engine.js'
import type { Statement, Values } from '../sql/statement.js'
import { translateError } from './errors.js'
import { hostsOf } from './hosts.js'
import { parseInstant } from './instants.js'

const INSTANTS = new Set([1082, 1114, 1184])
const NUMBERS = new Set([20, 21, 23, 26, 700, 701, 1700])
const BOOLEAN = 16
const BYTES = 17

const readBytes = (text: string): Buffer => Buffer.from(text.slice(2), 'hex')

/** Values as the other client of this backend gives them: JSON as text, instants as dates. */
const types = {
  getTypeParser: (oid: number) => {
    if (INSTANTS.has(oid)) return parseInstant
    if (NUMBERS.has(oid)) return Number
    if (oid === BOOLEAN) return (text: string) => text === 't'
    if (oid === BYTES) return readBytes
    return (text: string) => text
  },
} as unknown as NonNullable<QueryArrayConfig['types']>

function tlsOf(ssl: PostgresqlOptions['ssl']): ClientConfig['ssl'] {
  if (ssl === undefined) return undefined
  if (ssl === 'require') return { rejectUnauthorized: false }
  if (ssl === 'verify-full') return true
  return ssl as boolean | TlsOptions
}

/** The client that copies rows: the other one waits for ever when the server refuses one. */
export async function connectCopying(options: PostgresqlOptions): Promise<Client> {
  const { connectionString, maintenanceConnectionString, ssl, applicationName = 'bruno-memory' } = options
  const { default: pg } = await import('pg').catch((cause: unknown) => {
    throw new ConfigurationError('a transfer into PostgreSQL needs two packages: npm install pg pg-copy-streams', {
      cause,
    })
  })
  const { single } = hostsOf(maintenanceConnectionString ?? connectionString)
  const tls = tlsOf(ssl)
  const client = new pg.Client({
    connectionString: single,
    application_name: applicationName,
    connectionTimeoutMillis: options.connectTimeout ?? 10_000,
    keepAlive: true,
    ...(tls !== undefined && { ssl: tls }),
  })
  // A connection that is lost between two statements is told of by the next one.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(
      `set timezone = 'UTC'; set datestyle = 'ISO'; set row_security = off; set statement_timeout = 0;
       set synchronous_commit = ${options.durability === 'process' ? 'off' : 'on'}; set client_min_messages = warning`,
    )
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw translateError(error)
  }
}

const typeName = (value: unknown): string | null =>
  value instanceof Date
    ? 'timestamptz'
    : value instanceof Uint8Array
      ? 'bytea'
      : typeof value === 'boolean'
        ? 'bool'
        : null

/** Types stand in the text: this client tells the server of none, which takes what it does not know for text. */
function typed(text: string, values: readonly unknown[]): string {
  if (!values.some((value) => typeName(value) !== null)) return text
  return text.replace(/\$(\d+)/g, (name, n: string) => {
    const type = typeName(values[Number(n) - 1])
    return type === null ? name : `${name}::${type}`
  })
}

/** Statements of the repositories on this client. */
export class CopyingSession implements SqlSession {
  constructor(readonly client: Client) {}

  async query(text: string, values: readonly unknown[] = []): Promise<{ rows: unknown[][]; count: number }> {
    try {
      const result = await this.client.query<unknown[]>({ text, values: [...values], rowMode: 'array', types })
      return { rows: result.rows ?? [], count: result.rowCount ?? 0 }
    } catch (error) {
      throw translateError(error)
    }
  }

  async #bound(statement: Statement<unknown>, values: Values): Promise<{ rows: unknown[][]; count: number }> {
    const bound = statement.bind(values)
    return this.query(typed(statement.text, bound), bound)
  }

  async all<R>(statement: Statement<R>, values: Values = {}): Promise<R[]> {
    const { rows } = await this.#bound(statement, values)
    return rows.map((row) => statement.decode(row))
  }

  async run(statement: Statement<unknown>, values: Values = {}): Promise<number> {
    return (await this.#bound(statement, values)).count
  }
}
