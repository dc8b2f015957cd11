import type { RateLimit, RateLimiter, RateLimiterOptions } from '../../contract/rate-limit.js'
import { ConfigurationError } from '../../errors.js'
import type { RedisStore } from './context.js'
import type { TenantKeys } from './keys.js'

/** The part of the library's answer that is used. */
interface Answer {
  readonly remainingPoints: number
  readonly msBeforeNext: number
}
interface Limiter {
  consume(key: string, points: number): Promise<Answer>
  get(key: string): Promise<Answer | null>
  delete(key: string): Promise<boolean>
}

async function loadLimiter(store: RedisStore, keys: TenantKeys, options: RateLimiterOptions): Promise<Limiter> {
  let library: typeof import('rate-limiter-flexible')
  try {
    library = await import('rate-limiter-flexible')
  } catch (error) {
    throw new ConfigurationError('the rate limiter needs a package: npm install rate-limiter-flexible', {
      cause: error,
    })
  }
  return new library.RateLimiterRedis({
    storeClient: store.client.connection,
    // The script that it brings is one call; its own queue would outlive our deadline.
    useRedisPackage: false,
    keyPrefix: keys.limits(options.name ?? 'default'),
    points: options.points,
    duration: options.duration,
    ...(options.blockDuration !== undefined && { blockDuration: options.blockDuration }),
  }) as unknown as Limiter
}

const isAnswer = (value: unknown): value is Answer =>
  typeof (value as Answer | null)?.msBeforeNext === 'number' && !(value instanceof Error)

/** Counts in Redis, all processes together. */
export function redisRateLimiter(store: RedisStore, keys: TenantKeys, options: RateLimiterOptions): RateLimiter {
  let loading: Promise<Limiter> | null = null
  const use = async <T>(work: (limiter: Limiter) => Promise<T>): Promise<T> => {
    loading ??= loadLimiter(store, keys, options)
    const limiter = await loading
    return store.client.call(() => work(limiter))
  }
  const told = (answer: Answer, allowed: boolean): RateLimit => ({
    allowed,
    remaining: Math.max(0, answer.remainingPoints),
    retryAfter: Math.max(0, answer.msBeforeNext),
  })
  // A key may hold anything: the library puts a colon behind the prefix, and ours must not look like another's.
  const named = (key: string): string => Buffer.from(key).toString('base64url')
  return {
    consume: (key, points = 1) =>
      use(async (limiter) => {
        try {
          return told(await limiter.consume(named(key), points), true)
        } catch (error) {
          // It throws its answer where the points are used up.
          if (isAnswer(error)) return told(error, false)
          throw error
        }
      }),
    peek: (key) =>
      use(async (limiter) => {
        const answer = await limiter.get(named(key))
        if (!answer) return { allowed: true, remaining: options.points, retryAfter: 0 }
        return told(answer, answer.remainingPoints > 0)
      }),
    reset: (key) => use(async (limiter) => void (await limiter.delete(named(key)))),
  }
}
