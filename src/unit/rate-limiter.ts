import type { RateLimiter, RateLimiterOptions } from '../contract/rate-limit.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import type { Lifecycle } from './lifecycle.js'
import { checkOutside } from './state.js'

function checkWhole(value: unknown, field: string, unit: string): void {
  if (!(Number.isInteger(value) && (value as number) >= 1 && (value as number) < 2 ** 31))
    throw new ValidationError(field, `must be a whole number of ${unit} of at least 1`)
}

function checkOptions(options: RateLimiterOptions): void {
  checkNames(options, ['name', 'points', 'duration', 'blockDuration'])
  if (options.name !== undefined) checkId(options.name, 'name')
  checkWhole(options.points, 'points', 'points')
  checkWhole(options.duration, 'duration', 'seconds')
  if (options.blockDuration !== undefined) checkWhole(options.blockDuration, 'blockDuration', 'seconds')
}

/** A limit of one tenant, made in the backend at its first use. */
export function makeRateLimiter(lifecycle: Lifecycle, tenantId: string, options: RateLimiterOptions): RateLimiter {
  checkOptions(options)
  const settings = { ...options }
  let made: { readonly by: unknown; readonly limiter: RateLimiter } | null = null
  const use = <T>(key: unknown, work: (limiter: RateLimiter) => Promise<T>): Promise<T> => {
    checkId(key, 'key')
    checkOutside(lifecycle)
    return lifecycle.use(async (backend) => {
      const scope = backend.scope(tenantId)
      if (!scope.rateLimiter) throw new UnsupportedError('rateLimits', 'this memory has no rate limiter: use Redis')
      if (made?.by !== backend) made = { by: backend, limiter: scope.rateLimiter(settings) }
      return work(made.limiter)
    })
  }
  return {
    consume: async (key, points = 1) => {
      checkWhole(points, 'points', 'points')
      return use(key, (limiter) => limiter.consume(key, points))
    },
    peek: async (key) => use(key, (limiter) => limiter.peek(key)),
    reset: async (key) => use(key, (limiter) => limiter.reset(key)),
  }
}
