import type { OutboxDepth } from './follow.js'

/** What a line of the log says beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean>>

/**
 * Told of what no caller is told of: background work that fails or recovers, stores that go away and come back. Never
 * given content, vectors, secrets, or ids of users and their records. `console` is one; what it throws is passed over.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** What OpenTelemetry is told, where `@opentelemetry/api` is installed and a provider was registered before `connect()`. */
export interface TelemetryOptions {
  /** A span for each call. Default true. */
  readonly spans?: boolean | undefined
  /** Default true. */
  readonly metrics?: boolean | undefined
  /** Spans name their tenant, as `bruno_memory.tenant`. Default false. */
  readonly tenant?: boolean | undefined
}

/** Who is told of what happens. */
export interface ObservabilityOptions {
  /**
   * What OpenTelemetry is told of the calls, where it is installed and set up before `connect()`; see
   * `docs/observability.md`. Default true; false tells nothing.
   */
  readonly telemetry?: boolean | TelemetryOptions | undefined
  /** Told of what no caller is told of, such as background work that fails. Default: nobody. */
  readonly logger?: Logger | undefined
}

/** What is counted as it happens. */
export interface CounterAttributes {
  /** What settling did to a record: `settled`, `parked`, `retried`. */
  readonly 'bruno_memory.settle.effects': { readonly follower: string; readonly outcome: string }
  /** What was asked of a cache: `kind` is that of the answer. */
  readonly 'bruno_memory.cache.requests': { readonly kind: string; readonly hit: boolean }
}

/** Counts; does nothing while nobody listens. */
export interface Counters {
  count<Name extends keyof CounterAttributes>(name: Name, value: number, attributes: CounterAttributes[Name]): void
}

/** How far each follower is behind. */
export type OutboxStats = () => Promise<readonly OutboxDepth[]>
