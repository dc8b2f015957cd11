import type { IncomingMessage } from 'node:http'
import type { TenantMemory, UnitOfWork } from '../../contract/memory.js'
import { ConfigurationError } from '../../errors.js'
import { isMemoryError, type ProblemOptions, sendProblem } from '../http/problem.js'
import { type TenantOptions, tenantResolver } from '../http/tenant.js'
import type { HttpRequest, Middleware } from '../http/types.js'

declare global {
  namespace Express {
    interface Request {
      /** The memory of the request's tenant, behind `memoryMiddleware`. */
      memory: TenantMemory
      /** The unit of the request, behind `unitOfWorkMiddleware`. */
      unit: UnitOfWork
    }
  }
}

/** What the middlewares put on a request. */
export interface Carried {
  memory?: TenantMemory
  unit?: UnitOfWork
}

export interface MemoryMiddlewareOptions<R = HttpRequest> extends TenantOptions<R>, ProblemOptions {
  /** Made with `tenancy: 'required'`, so that nothing is read or written outside of a tenant. */
  readonly memory: { forTenant(tenantId: string): TenantMemory }
}

/**
 * Puts the memory of the request's tenant on the request, as `req.memory`. A request without a tenant, or with an odd one,
 * is answered 400 or 401 and goes no further.
 *
 * @throws ConfigurationError where the memory or the tenant's source is none.
 */
export function memoryMiddleware<R extends HttpRequest = HttpRequest>(
  options: MemoryMiddlewareOptions<R>,
): Middleware<R> {
  const { memory } = options
  if (typeof memory?.forTenant !== 'function')
    throw new ConfigurationError('option memory: must be a memory, such as createBackend returns')
  const resolve = tenantResolver(options)
  return (req, res, next) => {
    const enter = (tenantId: string): void => {
      const carried = req as Carried
      carried.memory = memory.forTenant(tenantId)
      next()
    }
    const refuse = (error: unknown): void =>
      isMemoryError(error) && error.code === 'validation' ? sendProblem(res, error, options) : next(error)
    try {
      const found = resolve(req)
      if (typeof found === 'string') enter(found)
      else found.then(enter).catch(refuse)
    } catch (error) {
      refuse(error)
    }
  }
}

/**
 * The memory of the request's tenant.
 *
 * @throws ConfigurationError where no `memoryMiddleware` stands in front.
 */
export function memoryOf(req: IncomingMessage): TenantMemory {
  const { memory } = req as Carried
  if (!memory) throw new ConfigurationError('this request has no memory: put memoryMiddleware in front of the handler')
  return memory
}

/**
 * The unit that spans the request.
 *
 * @throws ConfigurationError where no `unitOfWorkMiddleware` stands in front.
 */
export function unitOf(req: IncomingMessage): UnitOfWork {
  const { unit } = req as Carried
  if (!unit) throw new ConfigurationError('this request has no unit: put unitOfWorkMiddleware in front of the handler')
  return unit
}
