import { isMemoryError, type ProblemOptions, sendProblem } from '../http/problem.js'
import type { ErrorMiddleware } from '../http/types.js'

/** Answers the errors of a memory as problem details of RFC 9457; all others go to the next error handler. */
export function memoryErrors(options: ProblemOptions = {}): ErrorMiddleware {
  return (error, _req, res, next) => {
    if (isMemoryError(error) && !res.headersSent) sendProblem(res, error, options)
    else next(error)
  }
}
