import type { ServerResponse } from 'node:http'
import type { TenantMemory, UnitOfWork } from '../../contract/memory.js'
import { StorageError, TimeoutError } from '../../errors.js'
import { ClientLeft, HeldResponse } from './held-response.js'
import { type IdempotencyOptions, operationOf } from './idempotency.js'
import { isMemoryError, sendProblem } from './problem.js'
import { type StoredAnswer, sendAgain, storedAnswer } from './stored-answer.js'
import type { HttpRequest } from './types.js'

export interface SpanningUnitOptions<R = HttpRequest> {
  /** How `Idempotency-Key` is read; `false` does not look at it. Needs a memory that keeps operations. */
  readonly idempotency?: IdempotencyOptions<R> | false | undefined
  /** Milliseconds that the handlers may take, default 30,000; then the unit is rolled back and the request answered. */
  readonly deadline?: number | undefined
  /** Bytes of an answer that are held back at most, default 1 MiB. */
  readonly maxAnswer?: number | undefined
  /** `await`: the answer waits for the stores that follow the primary. */
  readonly settle?: 'await' | undefined
}

export interface Span<R extends HttpRequest> {
  readonly tenant: Pick<TenantMemory, 'unitOfWork'>
  readonly request: R
  readonly response: ServerResponse
  readonly options: SpanningUnitOptions<R>
  /** Runs the handlers, inside the unit. */
  readonly proceed: (unit: UnitOfWork) => void
  /** The unit has ended, before anybody is answered: what kept it should let go. */
  readonly over?: (() => void) | undefined
  /** There was no unit, or it could not be stored: nobody was answered yet. */
  readonly fail: (error: unknown) => void
}

/** The handlers refused the request themselves. */
class Refused extends Error {}

const MEBIBYTE = 1024 * 1024

/** The handlers were content: that it cannot be stored is no fault of the client, but where somebody else was faster. */
function notTheirs(error: unknown): unknown {
  if (!isMemoryError(error) || !['validation', 'not-found'].includes(error.code)) return error
  return new StorageError('the unit of the request could not be stored', { cause: error })
}

class Spanning<R extends HttpRequest> {
  readonly #span: Span<R>
  #held: HeldResponse | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(span: Span<R>) {
    this.#span = span
  }

  async run(): Promise<void> {
    const { tenant, request, response, options, fail, over } = this.#span
    const { idempotency = {}, settle } = options
    try {
      const operation = idempotency === false ? {} : operationOf(request, idempotency)
      const keeps = operation.operationId !== undefined
      const answer = await tenant
        .unitOfWork((unit) => this.#handle(unit, keeps), { ...operation, settle })
        .finally(() => over?.())
      if (this.#held) this.#held.release()
      else sendAgain(response, answer as StoredAnswer)
    } catch (error) {
      if (this.#held) this.#undone(this.#held, error)
      else if (!(error instanceof ClientLeft)) fail(error)
    } finally {
      clearTimeout(this.#timer)
    }
  }

  /** Ends when the handlers have answered: what they answered decides whether the unit is stored. */
  #handle(unit: UnitOfWork, keeps: boolean): Promise<StoredAnswer | null> {
    const { response, options, proceed } = this.#span
    return new Promise((resolve, reject) => {
      // Who left while the unit waited for its turn is not worked for.
      if (response.destroyed) return reject(new ClientLeft('the client has left'))
      const ended = () => {
        if (held.status >= 400) reject(new Refused('the request was refused'))
        else resolve(keeps ? storedAnswer(held) : null)
      }
      const held = new HeldResponse(response, { limit: options.maxAnswer ?? MEBIBYTE, ended, failed: reject })
      this.#held = held
      const late = () => reject(new TimeoutError('the request was not answered in time'))
      this.#timer = setTimeout(late, options.deadline ?? 30_000)
      proceed(unit)
    })
  }

  /** Nothing was stored; the client is told so. */
  #undone(held: HeldResponse, error: unknown): void {
    const { fail } = this.#span
    if (held.ended && held.status >= 400) held.release()
    else if (held.ended) {
      held.replace()
      fail(notTheirs(error))
    }
    // The handlers may go on; they are not listened to any more.
    else
      held.sink((response) => {
        if (isMemoryError(error)) sendProblem(response, error)
        else response.writeHead(500).end()
      })
  }
}

/**
 * Runs handlers in one unit. The whole answer is held back until the unit is stored, and the unit is rolled back where
 * they answer 400 or more, fail, take too long, or the client leaves.
 */
export const spanRequest = <R extends HttpRequest>(span: Span<R>): Promise<void> => new Spanning(span).run()
