import { connect as connectSocket, Socket } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type postgres from 'postgres'
import { ConfigurationError, ConnectionError } from '../../errors.js'
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

interface Host {
  readonly host: string
  readonly port: number
}

const URL_FORM = 'write postgres://user:password@host:5432/database'

/** The hosts of a URL, which may name several: `postgres://a:5432,b:5433/app`. */
export function hostsOf(connectionString: string): { readonly hosts: readonly Host[]; readonly single: string } {
  const parts = /^(postgres(?:ql)?:\/\/)((?:[^/@?]*@)?)([^/?]*)(.*)$/s.exec(connectionString)
  if (!parts) throw new ConfigurationError(`option connectionString: cannot be read: ${URL_FORM}`)
  const [, scheme, credentials, names = '', rest] = parts
  const hosts = names.split(',').map((name) => {
    const found = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(name)
    const port = Number(found?.[2] ?? 5432)
    if (!found || port < 1 || port > 65_535)
      throw new ConfigurationError(`option connectionString: a host or port cannot be read: ${URL_FORM}`)
    return { host: decodeURIComponent(found[1] || 'localhost').replace(/^\[|\]$/g, ''), port }
  })
  const single = `${scheme}${credentials}${names.split(',')[0] ?? ''}${rest}`
  try {
    new URL(single)
  } catch {
    // The error's own message quotes the URL, which may hold a password.
    throw new ConfigurationError(`option connectionString: cannot be read: ${URL_FORM}`)
  }
  return { hosts, single }
}

/** Milliseconds between two looks whether a server still answers. */
const WATCH = 1000

/** Destroys a socket whose other end has been silent for `limit` ms although it was sent something. */
function watch(socket: Socket, limit: number): void {
  let read = 0
  let answered = 0
  let since = performance.now()
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer)
    if (socket.bytesRead !== read || socket.bytesWritten === answered) {
      read = socket.bytesRead
      answered = socket.bytesWritten
      since = performance.now()
    } else if (performance.now() - since > limit)
      socket.destroy(Object.assign(new Error('the server no longer answers'), { code: 'ETIMEDOUT' }))
  }, WATCH)
  timer.unref()
}

function dial({ host, port }: Host, settings: ConnectionSettings): Socket {
  const socket = connectSocket({ host, port })
  // A small COPY or a pipelined statement would wait for the other side's delayed acknowledgement.
  socket.setNoDelay(true)
  // For the server's name in TLS.
  Object.assign(socket, { host, port })
  if (settings.statementTimeout > 0) watch(socket, settings.statementTimeout + 10_000)
  return socket
}

/** Whether a host can be reached, in time. */
function reaches(socket: Socket, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (reached: boolean) => () => {
      clearTimeout(timer)
      socket.removeAllListeners()
      if (!reached) socket.destroy()
      resolve(reached)
    }
    const timer = setTimeout(done(false), timeout)
    socket.once('connect', done(true))
    socket.once('error', done(false))
  })
}

/**
 * Opens sockets to the hosts in turn, so that a server that is down or only reads is passed over. One that cannot be
 * reached is answered all the same, to fail in the client's hands: a failure before would leave it waiting for ever.
 */
function sockets(settings: ConnectionSettings, hosts: readonly Host[]) {
  let next = 0
  let tries = 0
  const pick = (): Host => hosts[next++ % hosts.length] as Host
  const several = async (): Promise<Socket> => {
    // Without a server that accepts writes the client would go round for ever.
    if (++tries > 2 * hosts.length) {
      tries = 0
      return new Socket().destroy(new ConnectionError(`none of the ${hosts.length} hosts is what is asked for`))
    }
    for (let i = 1; i < hosts.length; i++) {
      const socket = dial(pick(), settings)
      if (await reaches(socket, settings.connectTimeout)) return socket
    }
    return dial(pick(), settings)
  }
  return {
    open: hosts.length > 1 ? several : () => dial(pick(), settings),
    arrived: () => {
      tries = 0
    },
  }
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
  const always = { application_name: applicationName, DateStyle: 'ISO' }
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
export async function connector(
  settings: ConnectionSettings,
): Promise<(max: number, onclose?: () => void) => { readonly sql: Sql; arrived(): void }> {
  const client = await loadClient()
  const { hosts, single } = hostsOf(settings.connectionString)
  return (max, onclose) => {
    const { open, arrived } = sockets(settings, hosts)
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
      socket: open,
      ...(settings.ssl !== undefined && { ssl: settings.ssl }),
      ...(onclose && { onclose }),
      ...(hosts.length > 1 && { target_session_attrs: settings.readWrite ? 'read-write' : undefined }),
    }
    try {
      return {
        sql: client(single, options as unknown as postgres.Options<Record<string, never>>) as unknown as Sql,
        arrived,
      }
    } catch {
      throw new ConfigurationError(`option connectionString: cannot be read: ${URL_FORM}`)
    }
  }
}
