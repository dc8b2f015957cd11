export interface RateLimiterOptions {
  /** Tells one limit from another, such as `messages`; default `default`. */
  readonly name?: string | undefined
  /** How many points a key has in every window. */
  readonly points: number
  /** Seconds of a window, which begins with its first use. */
  readonly duration: number
  /** Seconds that a key is refused for after it ran out of points, default until its window ends. */
  readonly blockDuration?: number | undefined
}

export interface RateLimit {
  readonly allowed: boolean
  readonly remaining: number
  /** Milliseconds until the window ends, or the block. */
  readonly retryAfter: number
}

/** Counts in the store, so that all processes of an application share the limit. */
export interface RateLimiter {
  /** Takes points, default one; `key` is who is limited, such as a user's id. */
  consume(key: string, points?: number): Promise<RateLimit>
  /** How it stands, without taking any. */
  peek(key: string): Promise<RateLimit>
  /** Begins anew for this key. */
  reset(key: string): Promise<void>
}
