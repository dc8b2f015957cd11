import type { ServerResponse } from 'node:http'
import type { TenantMemory } from '../../contract/memory.js'
import type { RateLimit, RateLimiter, RateLimiterOptions } from '../../contract/rate-limit.js'
import { ConfigurationError } from '../../errors.js'
import { userOf } from './caller.js'
import { RateLimitError } from './refusal.js'
import type { HttpRequest } from './types.js'

/** What is used of a memory that counts: Redis, or one with Redis as its cache. */
export interface LimitingMemory {
  forTenant(tenantId: string): Pick<TenantMemory, 'rateLimiter'>
}

export interface LimitOptions<R = HttpRequest> extends RateLimiterOptions {
  /** Who is limited within the tenant, default the user (claim `sub`, else `id`), else the address. */
  readonly key?: ((req: R) => string) | undefined
}

const MAX_TENANTS = 1000

const keyOf = (request: HttpRequest): string => {
  const user = userOf(request)
  // Of different kinds: nobody can call themselves an address.
  return user === undefined ? `address:${request.ip ?? request.socket.remoteAddress ?? ''}` : `user:${user}`
}

/** Says in the headers of an answer how a limit stands: the current draft's fields, and those before it. */
function describe(
  response: ServerResponse,
  { name = 'default', points, duration }: LimitOptions,
  limit: RateLimit,
): number {
  const seconds = Math.max(0, Math.ceil(limit.retryAfter / 1000))
  const quoted = JSON.stringify(name.replace(/[^\x20-\x7e]/g, '?'))
  response.setHeader('RateLimit-Policy', `${quoted};q=${points};w=${duration}`)
  response.setHeader('RateLimit', `${quoted};r=${limit.remaining};t=${seconds}`)
  response.setHeader('RateLimit-Limit', String(points))
  response.setHeader('RateLimit-Remaining', String(limit.remaining))
  response.setHeader('RateLimit-Reset', String(seconds))
  return seconds
}

/**
 * Takes one point for each request that is asked about.
 *
 * @returns What throws a `RateLimitError` where there is none left.
 * @throws ConfigurationError for a memory or options that are none.
 */
export function requestLimiter<R extends HttpRequest>(memory: LimitingMemory, options: LimitOptions<R>) {
  if (typeof memory?.forTenant !== 'function')
    throw new ConfigurationError('option memory: must be a memory, such as createBackend returns')
  const { key = keyOf, name, points, duration, blockDuration } = options
  const limiters = new Map<string, RateLimiter>()
  const limiterOf = (tenantId: string): RateLimiter => {
    let limiter = limiters.get(tenantId)
    if (!limiter) {
      limiter = memory.forTenant(tenantId).rateLimiter({ name, points, duration, blockDuration })
      if (limiters.size >= MAX_TENANTS) limiters.clear()
      limiters.set(tenantId, limiter)
    }
    return limiter
  }
  return async (tenantId: string, request: R, response: ServerResponse): Promise<void> => {
    const limit = await limiterOf(tenantId).consume(key(request))
    const seconds = describe(response, options as LimitOptions, limit)
    if (!limit.allowed) throw new RateLimitError(Math.max(1, seconds))
  }
}
