import type { ServerResponse } from 'node:http'
import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common'
import { BrunoMemoryError } from '../../errors.js'
import { type ProblemOptions, sendProblem } from '../http/problem.js'
import { MODULE_OPTIONS } from './options.js'

/** Answers the errors of a memory as problem details of RFC 9457. The module registers it for the whole application. */
export class MemoryExceptionFilter implements ExceptionFilter<BrunoMemoryError> {
  readonly #options: ProblemOptions

  constructor(options: ProblemOptions = {}) {
    this.#options = options
  }

  catch(error: BrunoMemoryError, host: ArgumentsHost): void {
    const response = host.getType() === 'http' ? host.switchToHttp().getResponse<ServerResponse>() : null
    // Of another transport, or too late: its own handling has to say so.
    if (!response || response.headersSent) throw error
    sendProblem(response, error, this.#options)
  }
}
Inject(MODULE_OPTIONS)(MemoryExceptionFilter, undefined, 0)
Catch(BrunoMemoryError)(MemoryExceptionFilter)
