import {
  type BrunoMemoryError,
  ConnectionError,
  OverloadedError,
  StorageError,
  TimeoutError,
  BrunoMemoryError as Typed,
} from '../../errors.js'

/** The server answered with a status that is none for the call. Its text may quote content, so it is not kept. */
export class Answered extends Error {
  override readonly name = 'Answered'
  constructor(readonly status: number) {
    super(`the server answered ${status}`)
  }
}

/** No answer came in time. */
export class Hung extends Error {
  override readonly name = 'Hung'
  readonly code = 'ETIMEDOUT'
}

/** What is told of a failure of the line: messages of sockets may quote what was sent. */
export class LineFailure extends Error {
  override readonly name = 'LineFailure'
  constructor(readonly code: string) {
    super(`the connection failed${code ? ` (${code})` : ''}`)
  }
}

const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

const TLS = /CERT|^ERR_(TLS|SSL)|^UNABLE_TO_|^EPROTO$|SELF_SIGNED/
/** What answers is no server of HTTP: it may speak TLS. */
const FOREIGN = /^HPE_/
const PASSING = [408, 425, 429, 500, 502, 503, 504]

/** Whether the same call may succeed in a moment. */
export function mayPass(error: unknown): boolean {
  if (error instanceof Typed) return false
  if (error instanceof Answered) return PASSING.includes(error.status)
  if (isMistake(error)) return false
  const code = codeOf(error)
  return !TLS.test(code) && !FOREIGN.test(code) && code !== 'ENOTFOUND'
}

/** A mistake of the program, which no other attempt mends. */
const isMistake = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError

interface Named {
  readonly name: string
  readonly callTimeout: number
}

type Outcome = 'none' | 'unknown'

function ofStatus({ name }: Named, status: number, outcome: Outcome): BrunoMemoryError {
  const cause = new LineFailure(String(status))
  if (status === 401 || status === 403)
    return new ConnectionError(`${name} refuses the key or the user (${status})`, { cause, outcome, retryable: false })
  if (status === 429 || status === 503) {
    const message = `${name} is overloaded (${status})`
    // An overload says that nothing was begun, which holds for the last attempt alone.
    return outcome === 'none'
      ? new OverloadedError(message, { cause })
      : new ConnectionError(message, { cause, outcome })
  }
  if (status === 413) return new StorageError(`what was sent is too large for ${name} (413)`, { cause })
  if (status >= 500) return new StorageError(`${name} failed (${status})`, { cause, retryable: true })
  return new StorageError(`${name} refused the request (${status})`, { cause })
}

/** Codes of calls of which no byte was sent. */
const UNSENT = ['ECONNREFUSED', 'ENOTFOUND']

/** Whether the server may have done what it was told by a call that failed so. */
export function mayBeDone(error: unknown): boolean {
  if (error instanceof Typed || isMistake(error)) return false
  if (error instanceof Answered) return error.status >= 500 && error.status !== 503
  const code = codeOf(error)
  return !UNSENT.includes(code) && !TLS.test(code) && !FOREIGN.test(code)
}

/**
 * Into our closed set.
 *
 * @param done Whether an attempt of the call, this one or one before, may have done what it tells.
 */
export function failureOf(named: Named, error: unknown, done: boolean): BrunoMemoryError {
  const { name, callTimeout } = named
  const outcome = done ? 'unknown' : 'none'
  if (error instanceof Typed) return error
  if (error instanceof Answered) return ofStatus(named, error.status, outcome)
  if (isMistake(error)) return new StorageError(`the client of ${name} failed`, { cause: new LineFailure('') })
  const code = codeOf(error)
  const cause = new LineFailure(code)
  if (error instanceof Hung) return new TimeoutError(`${name} did not answer within ${callTimeout} ms`, { cause })
  if (TLS.test(code))
    return new ConnectionError(
      `TLS with ${name} failed (${code}): does the server speak TLS, and is its authority known?`,
      { cause, outcome, retryable: false },
    )
  if (FOREIGN.test(code))
    return new ConnectionError(`what listens there does not speak HTTP as ${name} does (${code}): does it want TLS?`, {
      cause,
      outcome,
      retryable: false,
    })
  return new ConnectionError(`${name} cannot be reached (${code || 'connection lost'})`, { cause, outcome })
}
