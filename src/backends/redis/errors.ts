import {
  BrunoMemoryError,
  ConnectionError,
  OverloadedError,
  StorageError,
  TimeoutError,
  UnsupportedError,
} from '../../errors.js'

/** What is told of an error of the server or the client: their messages may quote what was sent. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure'
  constructor(
    /** The first word of a reply such as `WRONGTYPE`, or the code of the socket. */
    readonly code: string,
  ) {
    super(`Redis answered ${code || 'nothing'}`)
  }
}

/** A reply's first word; the code of a socket; nothing where the client itself gave up. */
export function codeOf(error: unknown): string {
  const { code, message, name } = (error ?? {}) as { code?: unknown; message?: unknown; name?: unknown }
  if (name === 'ReplyError' && typeof message === 'string') {
    const word = /^[A-Z]{3,}/.exec(message)?.[0] ?? 'ERR'
    // A script wraps what a command in it answered.
    return word === 'ERR' ? (/\b(WRONGTYPE|OOM|READONLY|NOPERM|MISCONF)\b/.exec(message)?.[1] ?? word) : word
  }
  return typeof code === 'string' ? code : ''
}

const isReply = (error: unknown): boolean => (error as { name?: unknown } | null)?.name === 'ReplyError'

/** The connection is gone, so that nothing is known of what was sent on it. */
export const isLost = (error: unknown): boolean =>
  !isReply(error) && !(error instanceof BrunoMemoryError) && !isMistake(error)

/** A mistake of the program, which no other attempt mends. */
const isMistake = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError

/** The server will take the same command soon: it loads, fails over, or moves the slot. */
export const isPassing = (error: unknown): boolean =>
  ['LOADING', 'TRYAGAIN', 'CLUSTERDOWN', 'MASTERDOWN', 'BUSY', 'MOVED', 'ASK'].includes(codeOf(error))

/** Why the last attempt to connect failed, where the client only says that it is closed. */
type Options = { readonly cause: RedisFailure }
type Make = (options: Options) => BrunoMemoryError

const refusedUser: Make = (o) =>
  new ConnectionError('Redis refuses the user or the password', { ...o, retryable: false })

const REPLIES: Readonly<Record<string, Make>> = {
  WRONGPASS: refusedUser,
  NOAUTH: refusedUser,
  NOPERM: (o) => new StorageError('the Redis user may not do this (NOPERM): see the rules of its ACL', o),
  OOM: (o) => new OverloadedError('the memory of Redis is full (maxmemory): nothing was written', o),
  WRONGTYPE: (o) => new StorageError('a key of this memory holds something else (WRONGTYPE): nothing was written', o),
  READONLY: (o) => new StorageError('the server is a read-only replica (READONLY)', { ...o, retryable: true }),
  MISCONF: (o) => new StorageError('Redis cannot write to its disk (MISCONF)', { ...o, retryable: true }),
  LOADING: (o) => new ConnectionError('Redis is still loading its data', o),
  BUSY: (o) => new OverloadedError('Redis is busy with a script', o),
  MASTERDOWN: (o) => new ConnectionError('the replica has lost its primary (MASTERDOWN)', o),
  CLUSTERDOWN: (o) => new ConnectionError('the Redis Cluster is down (CLUSTERDOWN)', o),
  CROSSSLOT: (o) => new StorageError('keys of one call lie in several slots (CROSSSLOT)', o),
}

const TLS = /CERT|^ERR_(TLS|SSL)|^UNABLE_TO_|^EPROTO$/

/** Into our closed set, by code. */
export function translateError(error: unknown): Error {
  if (error instanceof BrunoMemoryError) return error
  const code = codeOf(error)
  const cause = new RedisFailure(code)
  const known = REPLIES[code]
  if (known) return known({ cause })
  if (isReply(error)) {
    const message = String((error as Error).message)
    if (/unknown command|unknown subcommand/i.test(message))
      return new UnsupportedError('redis', 'this server lacks a command: Redis 7 or later is needed', { cause })
    if (/DB index is out of range|invalid DB/i.test(message))
      return new ConnectionError('the server has no database of this number (option db)', { cause, retryable: false })
    return new StorageError(`Redis failed (${code})`, { cause })
  }
  if (isMistake(error)) return new StorageError('the Redis client failed', { cause: new RedisFailure('') })
  if (/^All sentinels are unreachable/.test(String((error as Error | null)?.message)))
    return new ConnectionError('no sentinel names the primary: see sentinels, sentinelName and sentinelPassword', {
      cause,
    })
  if (TLS.test(code))
    return new ConnectionError(`TLS with Redis failed (${code}): see the option tls`, { cause, retryable: false })
  return new ConnectionError(`Redis cannot be reached (${code || 'connection lost'})`, { cause })
}

/** A write whose connection went away after it was sent, and which could not be found out about. */
export const unknownOutcome = (error: unknown): ConnectionError =>
  new ConnectionError('the connection was lost before Redis answered: it is not known whether this write was stored', {
    cause: new RedisFailure(codeOf(error)),
    outcome: 'unknown',
  })

export const lostLock = (): TimeoutError =>
  new TimeoutError('the unit lost its records to another one, after a pause of its process: nothing was written')
