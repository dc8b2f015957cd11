import { OverloadedError, ValidationError } from '../../errors.js'

/** The request does not say, or not properly, whose memory it is about. */
export class TenantError extends ValidationError {
  constructor(
    problem: string,
    /** 401 where the caller did not prove who they are, else 400. */
    readonly status: 400 | 401 = 400,
  ) {
    super('tenant', problem)
  }
}

/** The caller has used up a limit. */
export class RateLimitError extends OverloadedError {
  readonly status = 429
  constructor(
    /** Seconds until there is more. */
    readonly retryAfter: number,
  ) {
    super('too many requests')
  }
}
