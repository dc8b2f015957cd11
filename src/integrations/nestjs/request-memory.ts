import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  type PipeTransform,
} from '@nestjs/common'
import type { TenantMemory } from '../../contract/memory.js'
import type { HttpRequest } from '../http/types.js'
import { RequestTenants } from './tenants.js'

/** Makes a request into the memory of its tenant; a decorator alone has nothing injected. */
export class RequestMemoryPipe implements PipeTransform<HttpRequest, TenantMemory | Promise<TenantMemory>> {
  readonly #tenants: RequestTenants

  constructor(tenants: RequestTenants) {
    this.#tenants = tenants
  }

  transform(request: HttpRequest): TenantMemory | Promise<TenantMemory> {
    const entered = this.#tenants.enter(request)
    const follow = () => this.#tenants.follow(request)
    return entered instanceof Promise ? entered.then(follow) : follow()
  }
}
Inject(RequestTenants)(RequestMemoryPipe, undefined, 0)
Injectable()(RequestMemoryPipe)

const requestOf = createParamDecorator((_: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<HttpRequest>(),
)

/**
 * Gives a parameter of a handler the `TenantMemory` of the request. Unlike what is injected it leaves the controller a
 * singleton, which is faster: Nest makes objects of request scope, and all that inject them, anew for each request.
 */
export const RequestMemory = (): ParameterDecorator => requestOf(RequestMemoryPipe)

/** Refuses requests without a tenant before their handlers run. Guards that sign in stand in front of it. */
export class TenantGuard implements CanActivate {
  readonly #tenants: RequestTenants

  constructor(tenants: RequestTenants) {
    this.#tenants = tenants
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() === 'http') await this.#tenants.enter(context.switchToHttp().getRequest<HttpRequest>())
    return true
  }
}
Inject(RequestTenants)(TenantGuard, undefined, 0)
Injectable()(TenantGuard)
