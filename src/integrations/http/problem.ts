import { type ServerResponse, STATUS_CODES } from 'node:http'
import { BrunoMemoryError, type ErrorCode } from '../../errors.js'

/** What went wrong, as RFC 9457 says it. It carries no content, no secret and no engine's words. */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  /** Where in the input, for `validation`. */
  readonly field?: string
  /** `unknown`: the write may have been stored. */
  readonly outcome?: 'unknown'
}

export interface ProblemOptions {
  /** What the code is appended to, default `urn:problem-type:bruno-memory:`. */
  readonly type?: string | undefined
  /** Seconds that `Retry-After` says where a store is away or overloaded, default 1. */
  readonly retryAfter?: number | undefined
}

const STATUS: Readonly<Record<ErrorCode, number>> = {
  validation: 400,
  conflict: 409,
  'not-found': 404,
  unsupported: 501,
  connection: 503,
  timeout: 504,
  overloaded: 503,
  closed: 503,
  migration: 500,
  configuration: 500,
  storage: 500,
}

/** Said instead of a message that is for those who run the server. */
const DETAIL: Readonly<Partial<Record<ErrorCode, string>>> = {
  connection: 'the store cannot be reached',
  timeout: 'the store did not answer in time',
  overloaded: 'too much waits already',
  closed: 'the server is shutting down',
}
const OUR_FAULT = 'the server made a mistake'

/** Fields that no client can fill: the handler used the memory wrongly. */
const MISUSE = ['unitOfWork', 'callback']

/** Told by what it has, for a CommonJS and an ES module have classes of their own. */
export function isMemoryError(error: unknown): error is BrunoMemoryError {
  if (error instanceof BrunoMemoryError) return true
  const { code, retryable } = (error ?? {}) as Partial<BrunoMemoryError>
  return error instanceof Error && typeof retryable === 'boolean' && Object.hasOwn(STATUS, code ?? '')
}

function statusOf(error: BrunoMemoryError & { readonly status?: unknown; readonly field?: string }): number {
  if (typeof error.status === 'number') return error.status
  return MISUSE.includes(error.field ?? '') ? 500 : STATUS[error.code]
}

/** What a client is told of an error. */
export function problemOf(error: BrunoMemoryError, options: ProblemOptions = {}): ProblemDetails {
  const { type = 'urn:problem-type:bruno-memory:' } = options
  const { field, outcome } = error as { field?: string; outcome?: string }
  const status = statusOf(error)
  const own = status < 500 || status === 501
  return {
    type: `${type}${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: own ? error.message : status === 500 ? OUR_FAULT : (DETAIL[error.code] ?? OUR_FAULT),
    code: error.code,
    ...(own && field !== undefined && { field }),
    ...(outcome === 'unknown' && { outcome }),
  }
}

/** Seconds after which the same request may succeed; null where it must not simply be sent again. */
function waitOf(error: BrunoMemoryError, problem: ProblemDetails, options: ProblemOptions): number | null {
  const { retryAfter } = error as { retryAfter?: unknown }
  if (typeof retryAfter === 'number') return retryAfter
  // A write that may have been stored would be stored twice, and one that timed out may be under way.
  if (problem.status !== 503 || !error.retryable || problem.outcome) return null
  return options.retryAfter ?? 1
}

/** Answers a request with what went wrong. */
export function sendProblem(response: ServerResponse, error: BrunoMemoryError, options: ProblemOptions = {}): void {
  const problem = problemOf(error, options)
  const wait = waitOf(error, problem, options)
  response.statusCode = problem.status
  // Of an answer that was begun; each would contradict this one.
  for (const name of ['content-length', 'content-encoding', 'etag', 'last-modified', 'location'])
    response.removeHeader(name)
  response.setHeader('Content-Type', 'application/problem+json')
  response.setHeader('Cache-Control', 'no-store')
  if (wait !== null) response.setHeader('Retry-After', String(wait))
  if (problem.status === 401 && !response.hasHeader('WWW-Authenticate'))
    response.setHeader('WWW-Authenticate', 'Bearer')
  response.end(JSON.stringify(problem))
}
