import type { Histogram, Meter, Tracer } from '@opentelemetry/api'

export type Api = typeof import('@opentelemetry/api')

/** Where spans and metrics go. */
export interface Listeners {
  readonly api: Api
  readonly tracer: Tracer | null
  readonly meter: Meter | null
  readonly duration: Histogram | null
}

const SCOPE = 'bruno-memory'

let loading: Promise<Api | null> | null = null

/** The package, or null where it is not installed or cannot be loaded: a memory works without it. */
export function loadApi(): Promise<Api | null> {
  loading ??= import('@opentelemetry/api').then(
    (api) => api,
    () => null,
  )
  return loading
}

/** Whoever was registered with the package by now; null where that is nobody. */
export function listenersOf(
  api: Api,
  wanted: { readonly spans: boolean; readonly metrics: boolean },
): Listeners | null {
  const found = wanted.spans ? api.trace.getTracer(SCOPE) : null
  // The package's own stand-ins, while no provider is registered: they are told of nothing.
  const tracer = found instanceof api.ProxyTracer ? null : found
  const metered = wanted.metrics ? api.metrics.getMeter(SCOPE) : null
  const meter = metered === api.createNoopMeter() ? null : metered
  if (!tracer && !meter) return null
  const duration =
    meter?.createHistogram('db.client.operation.duration', {
      description: 'Duration of database client operations.',
      unit: 's',
      advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] },
    }) ?? null
  return { api, tracer, meter, duration }
}
