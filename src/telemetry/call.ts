import type { Attributes, Context, Span } from '@opentelemetry/api'
import { BrunoMemoryError } from '../errors.js'
import type { Listeners } from './api.js'
import { orNull, type Telemetry } from './telemetry.js'

export interface What {
  /** `messages.append`. */
  readonly name: string
  readonly tenantId: string | null
  /** That of the unit whose part it is. */
  readonly within: Context | null
  readonly batch?: number | undefined
  /** The program takes its time in between: how long it took says nothing of the store. */
  readonly paused?: true
}

/** One call, from its beginning to its end. */
export class Call {
  readonly #started = performance.now()
  readonly #late: boolean
  #span: Span | null = null
  #context: Context | null = null

  constructor(
    readonly telemetry: Telemetry,
    readonly what: What,
  ) {
    // The first call opens the memory, and with that is known whether there is a span.
    this.#late = telemetry.listeners === undefined
    this.open()
  }

  /** Begins the span where that has not been done, and answers the context of what the call calls. */
  open(): Context | null {
    this.#context ??= orNull(() => this.#begin())
    return this.#context
  }

  #begin(): Context | null {
    const { listeners } = this.telemetry
    if (!listeners?.tracer) return null
    const { api, tracer } = listeners
    const current = api.context.active()
    // Without a context manager nothing is ever current: the unit still knows its own calls.
    const parent = (api.trace.getSpan(current) ? null : this.what.within) ?? current
    // A unit is made of the calls in its callback; all others are calls of a database.
    const kind = this.what.name === 'unitOfWork' ? api.SpanKind.INTERNAL : api.SpanKind.CLIENT
    const options = { kind, attributes: this.#attributes(), ...(this.#late && { startTime: this.#started }) }
    this.#span = tracer.startSpan(this.what.name, options, parent)
    return api.trace.setSpan(parent, this.#span)
  }

  #attributes(): Attributes {
    const { telemetry, what } = this
    return {
      ...telemetry.common,
      'db.operation.name': what.name,
      ...(what.batch !== undefined && { 'db.operation.batch.size': what.batch }),
      ...(telemetry.tenant && what.tenantId !== null && { 'bruno_memory.tenant': what.tenantId }),
    }
  }

  /** Runs some of its work: the spans begun there are its children. */
  run<T>(work: () => T): T {
    const context = this.open()
    return context && this.telemetry.listeners ? this.telemetry.listeners.api.context.with(context, work) : work()
  }

  succeeded(rows?: number): void {
    this.#end(null, rows)
  }

  /** An error is told by its code alone: its message may name what is nobody's business. */
  failed(error: unknown): void {
    this.#end(error instanceof BrunoMemoryError ? error.code : '_OTHER')
  }

  #end(error: string | null, rows?: number): void {
    const context = this.open()
    const { listeners } = this.telemetry
    orNull(() => this.#measure(listeners, error, context))
    orNull(() => {
      if (rows !== undefined) this.#span?.setAttribute('db.response.returned_rows', rows)
      if (error !== null && listeners)
        this.#span?.setAttribute('error.type', error).setStatus({ code: listeners.api.SpanStatusCode.ERROR })
      this.#span?.end(this.#late ? performance.now() : undefined)
    })
  }

  #measure(listeners: Listeners | null | undefined, error: string | null, context: Context | null): void {
    if (!listeners?.duration || this.what.paused) return
    const attributes = {
      ...this.telemetry.common,
      'db.operation.name': this.what.name,
      ...(error !== null && { 'error.type': error }),
    }
    listeners.duration.record((performance.now() - this.#started) / 1000, attributes, context ?? undefined)
  }
}
