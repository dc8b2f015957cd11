import type { UnitOfWork } from '../../contract/memory.js'
import { ClosedError } from '../../errors.js'
import { type SpanningUnitOptions, spanRequest } from '../http/spanning-unit.js'
import type { HttpRequest, Middleware } from '../http/types.js'
import { type Carried, memoryOf } from './memory.js'

/** Stands where the unit was: a request may live long, and would keep all of its unit in memory. */
const ENDED = new Proxy({} as UnitOfWork, {
  get() {
    throw new ClosedError('the unit of the request has ended')
  },
})

/**
 * Runs the handlers behind it in one unit, `req.unit`. It is stored before the answer leaves, if that is below 400, and
 * rolled back otherwise. The memory comes from `memoryMiddleware` in front of it.
 */
export function unitOfWorkMiddleware<R extends HttpRequest = HttpRequest>(
  options: SpanningUnitOptions<R> = {},
): Middleware<R> {
  return (req, res, next) => {
    let tenant: ReturnType<typeof memoryOf>
    try {
      tenant = memoryOf(req)
    } catch (error) {
      return next(error)
    }
    void spanRequest({
      tenant,
      request: req,
      response: res,
      options,
      proceed: (unit) => {
        const carried = req as Carried
        carried.unit = unit
        next()
      },
      over: () => {
        const carried = req as Carried
        carried.unit = ENDED
      },
      fail: next,
    })
  }
}
