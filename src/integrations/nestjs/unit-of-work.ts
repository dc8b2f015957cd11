import type { ServerResponse } from 'node:http'
import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
  SetMetadata,
  UseInterceptors,
} from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { lastValueFrom, type Observable, of } from 'rxjs'
import { isMemoryError, sendProblem } from '../http/problem.js'
import { type SpanningUnitOptions, spanRequest } from '../http/spanning-unit.js'
import type { HttpRequest } from '../http/types.js'
import { CurrentUnit } from './current-unit.js'
import { type MemoryModuleOptions, MODULE_OPTIONS } from './options.js'
import { RequestTenants } from './tenants.js'

const UNIT_OPTIONS = 'bruno-memory:unit-of-work'

/**
 * Runs a handler in one unit: what was injected of the tenant means the unit while the handler runs. The answer is held
 * back until the unit is stored, and the unit is rolled back at an exception, a status of 400 or more, or when the client
 * leaves.
 */
export class UnitOfWorkInterceptor implements NestInterceptor {
  readonly #tenants: RequestTenants
  readonly #reflector: Reflector
  readonly #problems: MemoryModuleOptions
  readonly #logger = new Logger('UnitOfWork')

  constructor(tenants: RequestTenants, reflector: Reflector, options: MemoryModuleOptions) {
    this.#tenants = tenants
    this.#reflector = reflector
    this.#problems = options
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const http = context.switchToHttp()
    const [request, response] = [http.getRequest<HttpRequest>(), http.getResponse<ServerResponse>()]
    const tenant = await this.#tenants.enter(request)
    const places = [context.getHandler(), context.getClass()]
    const options = this.#reflector.getAllAndOverride<SpanningUnitOptions | undefined>(UNIT_OPTIONS, places) ?? {}
    const value = await new Promise<unknown>((resolve, reject) => {
      let current: CurrentUnit | null = null
      // Where a stored answer is given again nobody else may answer: the handler's value is then never there.
      void spanRequest({
        tenant,
        request,
        response,
        options,
        proceed: (unit) => {
          current = new CurrentUnit(request, unit)
          const handled = current.run(() => lastValueFrom(next.handle(), { defaultValue: undefined }))
          handled.then(resolve, reject)
        },
        over: () => current?.end(),
        fail: (error) => (current ? this.#tell(response, error) : reject(error)),
      })
    })
    return of(value)
  }

  /** The handler has answered already: no filter of Nest would be asked any more. */
  #tell(response: ServerResponse, error: unknown): void {
    const known = isMemoryError(error)
    this.#logger.error(known ? `${error.name}: ${error.message}` : 'a unit of work failed')
    if (known) sendProblem(response, error, this.#problems)
    else response.writeHead(500).end()
  }
}

// By hand: the build has no decorators and no types of parameters.
Inject(RequestTenants)(UnitOfWorkInterceptor, undefined, 0)
Inject(Reflector)(UnitOfWorkInterceptor, undefined, 1)
Inject(MODULE_OPTIONS)(UnitOfWorkInterceptor, undefined, 2)
Injectable()(UnitOfWorkInterceptor)

/** Runs a handler, or each of a controller, in one unit. */
export const UnitOfWork = (options: SpanningUnitOptions = {}): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(UNIT_OPTIONS, options), UseInterceptors(UnitOfWorkInterceptor))
