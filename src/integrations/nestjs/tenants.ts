import type { Memory, TenantMemory } from '../../contract/memory.js'
import { ConfigurationError } from '../../errors.js'
import { type TenantResolver, tenantResolver } from '../http/tenant.js'
import type { HttpRequest } from '../http/types.js'
import { memberOf } from './current-unit.js'
import type { MemoryModuleOptions } from './options.js'
import { type Members, standIn } from './stand-in.js'

/** Finds the tenants of requests, each once. */
export class RequestTenants {
  readonly #memory: Memory
  readonly #resolve: TenantResolver<HttpRequest>
  /** Whether a request says it by itself; else a guard may have to sign somebody in before. */
  readonly #early: boolean
  readonly #found = new WeakMap<HttpRequest, TenantMemory | Promise<TenantMemory>>()
  #shape: TenantMemory | null = null

  constructor(memory: Memory, options: MemoryModuleOptions) {
    this.#memory = memory
    this.#resolve = tenantResolver(options)
    this.#early = typeof options.tenant !== 'function' && !('claim' in options.tenant)
  }

  /** The tenant's memory; it throws a `TenantError` where the request has no tenant. */
  enter(request: HttpRequest): TenantMemory | Promise<TenantMemory> {
    if (!request?.headers) throw new ConfigurationError('the memory of a tenant is for HTTP requests: use the Memory')
    const known = this.#found.get(request)
    if (known) return known
    const found = this.#resolve(request)
    const entered = typeof found === 'string' ? this.#memory.forTenant(found) : this.#enterLater(request, found)
    this.#found.set(request, entered)
    return entered
  }

  async #enterLater(request: HttpRequest, found: Promise<string>): Promise<TenantMemory> {
    const tenant = this.#memory.forTenant(await found)
    this.#found.set(request, tenant)
    return tenant
  }

  /** What is injected. It is made before guards run, and asks then only where they cannot change the answer. */
  inject(request: HttpRequest): TenantMemory {
    if (this.#early) void this.enter(request)
    return this.follow(request)
  }

  /** The memory of the request's tenant, or its unit while one is under way. */
  follow(request: HttpRequest): TenantMemory {
    const members =
      (tenant: TenantMemory): Members =>
      (name) =>
        memberOf(request, tenant, name)
    this.#shape ??= this.#memory.forTenant('shape')
    return standIn(this.#shape, () => {
      const entered = this.enter(request)
      return entered instanceof Promise ? entered.then(members) : members(entered)
    })
  }
}
