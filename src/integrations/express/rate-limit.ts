import { isMemoryError, type ProblemOptions, sendProblem } from '../http/problem.js'
import { type LimitingMemory, type LimitOptions, requestLimiter } from '../http/rate-limit.js'
import { RateLimitError } from '../http/refusal.js'
import type { HttpRequest, Middleware } from '../http/types.js'
import { memoryOf } from './memory.js'

export interface RateLimitOptions<R = HttpRequest> extends LimitOptions<R>, Pick<ProblemOptions, 'type'> {
  /** Keeps the counts: Redis, or a memory with Redis as its cache. Not necessarily the one of the requests. */
  readonly memory: LimitingMemory
  /** In which tenant is counted, default that of `memoryMiddleware` in front of it. */
  readonly tenant?: ((req: R) => string) | undefined
  /** Lets requests through while the counts cannot be reached. Default false: they are answered 503. */
  readonly passOnError?: boolean | undefined
}

/**
 * Lets each key through `points` times in `duration` seconds, in all processes together; then 429 with `Retry-After`.
 *
 * @throws ConfigurationError where the memory is none.
 */
export function rateLimit<R extends HttpRequest = HttpRequest>(options: RateLimitOptions<R>): Middleware<R> {
  const { memory, tenant = (req: R) => memoryOf(req).tenantId, passOnError = false } = options
  const take = requestLimiter(memory, options)
  const enter = async (...[req, res]: Parameters<Middleware<R>>): Promise<unknown> => {
    try {
      await take(tenant(req), req, res)
    } catch (error) {
      const away = isMemoryError(error) && error.retryable && !(error instanceof RateLimitError)
      if (!(passOnError && away)) return error
    }
    return undefined
  }
  return (req, res, next) =>
    void enter(req, res, next).then((error) =>
      error instanceof RateLimitError ? sendProblem(res, error, options) : next(error),
    )
}
