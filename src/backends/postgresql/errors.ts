import {
  BrunoMemoryError,
  ConflictError,
  ConnectionError,
  MovedError,
  NotFoundError,
  OverloadedError,
  StorageError,
  TimeoutError,
  UnsupportedError,
} from '../../errors.js'

/** What is told of an error of the server: its message and details quote what is stored, and what was asked. */
export class PostgresqlFailure extends Error {
  override readonly name = 'PostgresqlFailure'
  constructor(
    /** The SQLSTATE, or the code of the client or the socket. */
    readonly code: string,
    readonly table: string | undefined,
    readonly constraint: string | undefined,
  ) {
    super(`PostgreSQL answered ${code}`)
  }
}

interface Raw {
  readonly code?: unknown
  readonly table_name?: string
  readonly constraint_name?: string
  readonly detail?: string
}

export const codeOf = (error: unknown): string => {
  const code = (error as Raw | null)?.code
  return typeof code === 'string' ? code : ''
}

/** The key that a unique index refused, as the server writes it; for comparison only, never to be told. */
export const refusedKey = (error: unknown): string => (error as Raw | null)?.detail ?? ''

const SQLSTATE = /^[0-9A-Z]{5}$/
/** What a socket, the client or a server that goes away answers: the connection is gone. */
const LOST = /^(08|57P|CONNECT|E[A-Z]{3,}|ERR_(SOCKET|STREAM))/
/** What Node says of certificates and of TLS itself. */
const TLS = /CERT|^ERR_(TLS|SSL)|^UNABLE_TO_|^EPROTO$/

/** Whether the connection is gone, so that nothing is known of what was sent on it. */
export const isLost = (error: unknown): boolean => {
  const code = codeOf(error)
  return LOST.test(code) || (code === '' && !(error instanceof BrunoMemoryError))
}

/** Whether the server took the whole transaction back for the sake of others: it may be run again. */
export const isRolledBack = (error: unknown): boolean => ['40001', '40P01', '55P03'].includes(codeOf(error))

function failureOf(error: unknown): PostgresqlFailure {
  const { table_name, constraint_name } = (error ?? {}) as Raw
  return new PostgresqlFailure(codeOf(error), table_name, constraint_name)
}

type Make = (code: string, options: { cause: PostgresqlFailure }) => BrunoMemoryError

/** By SQLSTATE, the longest prefix first. */
const KNOWN: readonly (readonly [prefix: string, make: Make])[] = [
  ['BM001', (_, o) => new MovedError('this memory has been moved to another store: open that one', o)],
  ['23505', (_, o) => new ConflictError('a record with this key exists already', o)],
  ['23503', (_, o) => new NotFoundError('record that this one names', o)],
  ['23', (code, o) => new StorageError(`the row was refused by a constraint of the database (${code})`, o)],
  ['40001', (_, o) => new ConflictError('another transaction changed the same rows', { ...o, retryable: true })],
  ['40P01', (_, o) => new ConflictError('two transactions waited for each other', { ...o, retryable: true })],
  ['55P03', (_, o) => new TimeoutError('another session keeps its lock', o)],
  ['57014', (_, o) => new TimeoutError('PostgreSQL ended the statement: it took longer than statementTimeout', o)],
  ['25P02', (_, o) => new StorageError('the unit had failed before: nothing of it was stored', o)],
  ['25P03', (_, o) => new TimeoutError('the unit was idle for longer than idleInTransactionTimeout', o)],
  [
    '25006',
    (_, o) => new StorageError('the server is read-only: it may be a replica, or a primary that was replaced', o),
  ],
  ['53300', (_, o) => new OverloadedError('PostgreSQL has too many connections', o)],
  ['53100', (_, o) => new StorageError('the disk of PostgreSQL is full (53100)', { ...o, retryable: true })],
  ['53200', (_, o) => new OverloadedError('PostgreSQL is out of memory (53200)', o)],
  ['53', (code, o) => new OverloadedError(`PostgreSQL is out of resources (${code})`, o)],
  ['54', (code, o) => new OverloadedError(`PostgreSQL refused the size of this call (${code})`, o)],
  ['28', (_, o) => new ConnectionError('PostgreSQL refuses the user or the password', { ...o, retryable: false })],
  ['3D000', (_, o) => new ConnectionError('the database does not exist: create it first', { ...o, retryable: false })],
  ['42501', (_, o) => new StorageError('the database role may not do this (42501)', o)],
  ['42P01', (_, o) => new StorageError('a table of this version is missing (42P01): run `bruno-memory migrate`', o)],
  [
    '26000',
    (_, o) =>
      new StorageError('a prepared statement is gone: behind a transaction pooler open with prepare: false', {
        ...o,
        retryable: true,
      }),
  ],
  ['42P05', (_, o) => new StorageError('a prepared statement exists already: behind a pooler use prepare: false', o)],
  ['0A000', (code, o) => new UnsupportedError('postgresql', `PostgreSQL does not support this (${code})`, o)],
]

/** Into our closed set, by code. */
export function translateError(error: unknown): Error {
  if (error instanceof BrunoMemoryError) return error
  const cause = failureOf(error)
  const { code } = cause
  const known = SQLSTATE.test(code) ? KNOWN.find(([prefix]) => code.startsWith(prefix)) : undefined
  if (known) return known[1](code, { cause })
  if (code === 'CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return new ConnectionError(`PostgreSQL did not answer in time (${code})`, { cause })
  if (!SQLSTATE.test(code) && TLS.test(code))
    return new ConnectionError(`TLS with PostgreSQL failed (${code}): see the option ssl`, { cause, retryable: false })
  if (isLost(error))
    return new ConnectionError(`PostgreSQL cannot be reached (${code || 'connection lost'})`, { cause })
  if (SQLSTATE.test(code)) return new StorageError(`PostgreSQL failed (${code})`, { cause })
  return new StorageError('the PostgreSQL client failed', { cause })
}

/** A write whose connection went away after it was sent: it may have been stored, or not. */
export const unknownOutcome = (error: unknown): ConnectionError =>
  new ConnectionError(
    'the connection was lost before PostgreSQL answered: it is not known whether this write was stored; ' +
      'give calls an operationId to have such an outcome found out',
    { cause: failureOf(error), outcome: 'unknown' },
  )
