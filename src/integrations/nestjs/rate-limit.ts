import type { ServerResponse } from 'node:http'
import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { type LimitingMemory, type LimitOptions, requestLimiter } from '../http/rate-limit.js'
import type { HttpRequest } from '../http/types.js'
import { type MemoryModuleOptions, MODULE_OPTIONS } from './options.js'
import { RequestTenants } from './tenants.js'
import { BRUNO_MEMORY } from './tokens.js'

const LIMIT = 'bruno-memory:rate-limit'

/** Refuses requests beyond the limit of `@RateLimit` with 429. It wants the tenant: guards that sign in stand in front. */
export class RateLimitGuard implements CanActivate {
  readonly #tenants: RequestTenants
  readonly #reflector: Reflector
  readonly #memory: LimitingMemory
  readonly #limiters = new Map<LimitOptions, ReturnType<typeof requestLimiter<HttpRequest>>>()

  constructor(tenants: RequestTenants, reflector: Reflector, memory: LimitingMemory, options: MemoryModuleOptions) {
    this.#tenants = tenants
    this.#reflector = reflector
    this.#memory = options.limits ?? memory
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()]
    const options = this.#reflector.getAllAndOverride<LimitOptions | undefined>(LIMIT, places)
    if (!options || context.getType() !== 'http') return true
    const http = context.switchToHttp()
    const request = http.getRequest<HttpRequest>()
    const { tenantId } = await this.#tenants.enter(request)
    await this.#limiterOf(options)(tenantId, request, http.getResponse<ServerResponse>())
    return true
  }

  #limiterOf(options: LimitOptions) {
    let limiter = this.#limiters.get(options)
    if (!limiter) {
      limiter = requestLimiter<HttpRequest>(this.#memory, options)
      this.#limiters.set(options, limiter)
    }
    return limiter
  }
}
for (const [index, token] of [RequestTenants, Reflector, BRUNO_MEMORY, MODULE_OPTIONS].entries())
  Inject(token)(RateLimitGuard, undefined, index)
Injectable()(RateLimitGuard)

/** Lets each user through `points` times in `duration` seconds, in all processes together, then answers 429. */
export const RateLimit = (options: LimitOptions): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(LIMIT, options), UseGuards(RateLimitGuard))
