import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  retry,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { BrunoMemoryError, ConfigurationError, ConnectionError, TimeoutError } from '../errors.js'

const ATTEMPTS = 3
/** Calls, each with its attempts, that fail one after the other before a model is left alone. */
const IN_A_ROW = 5
/** Milliseconds that it is left alone for; then one call tries. */
const LEFT_ALONE = 10_000

interface Told {
  readonly status?: unknown
  readonly statusCode?: unknown
  readonly code?: unknown
  readonly response?: { readonly status?: unknown } | null
}

/** The HTTP status of a failure, wherever its client puts it. */
function statusOf(error: unknown): number | null {
  const told = error as Told | null | undefined
  for (const value of [told?.status, told?.statusCode, told?.response?.status, told?.code])
    if ((typeof value === 'number' || typeof value === 'string') && /^[45]\d\d$/.test(String(value)))
      return Number(value)
  return null
}

/** Refusals that another attempt cannot change: a wrong key, a wrong request, a text that is too long. */
function isRefusal(error: unknown): boolean {
  if (error instanceof BrunoMemoryError) return !error.retryable
  const status = statusOf(error)
  return status !== null && status < 500 && status !== 408 && status !== 429
}

/** Up to three attempts under one deadline in milliseconds; none while a model that failed again and again is left alone. */
export function attempts(ms: number): IPolicy {
  const again = retry(
    handleWhen((error) => !isRefusal(error)),
    { maxAttempts: ATTEMPTS - 1, backoff: new ExponentialBackoff({ initialDelay: 200, maxDelay: 5000 }) },
  )
  // Aggressive: what hangs is left behind, whether it listens to a signal or not.
  const breaker = circuitBreaker(
    handleWhen((error) => !isRefusal(error)),
    { halfOpenAfter: LEFT_ALONE, breaker: new ConsecutiveBreaker(IN_A_ROW) },
  )
  return wrap(breaker, timeout(ms, TimeoutStrategy.Aggressive), again)
}

/** A typed error without a word of the text: a service's message may quote it. */
export function translated(error: unknown, model: string, ms: number): BrunoMemoryError {
  if (error instanceof BrunoMemoryError) return error
  if (error instanceof BrokenCircuitError)
    return new ConnectionError(
      `the embedding model ${model} failed ${IN_A_ROW} times in a row and is left alone for ${LEFT_ALONE / 1000} s`,
    )
  if (error instanceof TaskCancelledError)
    return new TimeoutError(`the embedding model ${model} did not answer within ${ms} ms`)
  const status = statusOf(error)
  const told = status === null ? '' : ` (status ${status})`
  return isRefusal(error)
    ? new ConfigurationError(`the embedding model ${model} refused the call${told}`, { cause: error })
    : new ConnectionError(`the embedding model ${model} failed${told}`, { cause: error })
}
