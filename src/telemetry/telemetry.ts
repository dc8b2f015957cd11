import type { Attributes, Counter } from '@opentelemetry/api'
import type { CounterAttributes, Counters, Logger, OutboxStats, TelemetryOptions } from '../contract/telemetry.js'
import { type Listeners, listenersOf, loadApi } from './api.js'
import { namespaceOf } from './facts.js'
import { observeOutbox } from './outbox.js'

export interface TelemetryMeans {
  /** Undefined is the same as true, but asks for nothing: a missing package is nobody's mistake. */
  readonly options: true | TelemetryOptions | undefined
  /** `db.system.name`. */
  readonly system: string
  /** `db.namespace`. */
  readonly namespace: string | undefined
  readonly logger: Logger | undefined
}

/** What one memory tells OpenTelemetry; decided once, when the memory is opened. */
export class Telemetry implements Counters {
  /** Null where nobody listens; undefined before that is known. */
  listeners: Listeners | null | undefined
  /** On every span and duration. */
  readonly common: Attributes
  /** Whether spans name their tenant. */
  readonly tenant: boolean
  readonly #counters = new Map<string, Counter>()
  #stopOutbox: (() => void) | null = null

  constructor(readonly means: TelemetryMeans) {
    const { options, system, namespace } = means
    this.tenant = typeof options === 'object' && options.tenant === true
    this.common = { 'db.system.name': system, ...(namespace !== undefined && { 'db.namespace': namespace }) }
  }

  async start(): Promise<void> {
    if (this.listeners !== undefined) return
    const { options, logger } = this.means
    const { spans = true, metrics = true } = typeof options === 'object' ? options : {}
    const api = spans || metrics ? await loadApi() : null
    if (!api && options === true) logger?.warn('telemetry needs a package that is not installed: @opentelemetry/api')
    this.listeners ??= api && orNull(() => listenersOf(api, { spans, metrics }))
  }

  count<Name extends keyof CounterAttributes>(name: Name, value: number, attributes: CounterAttributes[Name]): void {
    const meter = this.listeners?.meter
    if (!meter) return
    orNull(() => {
      const counter = this.#counters.get(name) ?? meter.createCounter(name)
      this.#counters.set(name, counter)
      counter.add(value, { ...attributes })
    })
  }

  /** Tells of the outbox from now on. */
  observe(stats: OutboxStats): void {
    const meter = this.listeners?.meter
    if (meter) this.#stopOutbox ??= orNull(() => observeOutbox(meter, stats))
  }

  stop(): void {
    this.#stopOutbox?.()
    this.#stopOutbox = null
  }
}

/** What a memory with these options tells; null where that is nothing. */
export const telemetryOf = (
  { telemetry: options, ...given }: object & { readonly telemetry?: boolean | TelemetryOptions | undefined },
  system: string,
  logger: Logger | undefined,
): Telemetry | null =>
  options === false ? null : new Telemetry({ options, system, namespace: namespaceOf(given), logger })

/** What listens may be broken: a write that is stored must not fail by it. */
export function orNull<T>(tell: () => T): T | null {
  try {
    return tell()
  } catch {
    return null
  }
}
