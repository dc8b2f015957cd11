import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  type IRetryPolicyConfig,
  retry,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { BrunoMemoryError, ConfigurationError, ConnectionError, TimeoutError } from '../errors.js'
import { ServiceFailure, statusOf, waitOf } from './service-failure.js'

const ATTEMPTS = 3
/** Milliseconds between two attempts; a service that asks for more is left to a later call. */
const LONGEST_PAUSE = 5000
/** Calls, each with its attempts, that fail one after the other before a model is left alone. */
const IN_A_ROW = 5
/** Milliseconds that it is left alone for; then one call tries. */
const LEFT_ALONE = 10_000

/** Refusals that another attempt cannot change: a wrong key, a wrong request, a text that is too long. */
function isRefusal(error: unknown): boolean {
  if (error instanceof BrunoMemoryError) return !error.retryable
  const status = statusOf(error)
  return status !== null && status < 500 && status !== 408 && status !== 429
}

type Pauses = IRetryPolicyConfig['backoff']
/** Pauses that are as long as the service asks for where that is longer. */
const atLeastAsked = (pauses: Pauses): Pauses => ({
  next(context) {
    const pause = pauses.next(context)
    const asked = 'error' in context.result ? waitOf(context.result.error) : 0
    return { duration: Math.max(pause.duration, asked), next: atLeastAsked(pause).next }
  },
})

/** Up to three attempts under one deadline in milliseconds; none while a model that failed again and again is left alone. */
export function attempts(ms: number): IPolicy {
  const failed = handleWhen((error) => !isRefusal(error))
  const again = retry(
    handleWhen((error) => !isRefusal(error) && waitOf(error) <= LONGEST_PAUSE),
    {
      maxAttempts: ATTEMPTS - 1,
      backoff: atLeastAsked(new ExponentialBackoff({ initialDelay: 200, maxDelay: LONGEST_PAUSE })),
    },
  )
  // Aggressive: what hangs is left behind, whether it listens to a signal or not.
  const breaker = circuitBreaker(failed, { halfOpenAfter: LEFT_ALONE, breaker: new ConsecutiveBreaker(IN_A_ROW) })
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
  const cause = ServiceFailure.of(error)
  return isRefusal(error)
    ? new ConfigurationError(`the embedding model ${model} refused the call${told}`, { cause })
    : new ConnectionError(`the embedding model ${model} failed${told}`, { cause })
}
