import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { onTestFinished } from 'vitest'
import { createBackend, type Memory } from '../../src/index.js'

const spans = new InMemorySpanExporter()
const points = new InMemoryMetricExporter(AggregationTemporality.DELTA)
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
const meters = new MeterProvider({
  readers: [new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 })],
})

/** Sets OpenTelemetry up as a program would, for this test file. */
export function listen(): void {
  trace.setGlobalTracerProvider(provider)
  metrics.setGlobalMeterProvider(meters)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
}

/** The spans that ended since the last call, in the order of their ends. */
export function spansOf(): ReadableSpan[] {
  const found = [...spans.getFinishedSpans()]
  spans.reset()
  return found
}

export const named = (found: readonly ReadableSpan[], name: string): ReadableSpan => {
  const span = found.find((each) => each.name === name)
  if (!span) throw new Error(`no span ${name} among ${found.map((each) => each.name).join(', ')}`)
  return span
}

export interface Point {
  readonly metric: string
  readonly unit: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly value: unknown
}

/** What was measured since the last call. */
export async function pointsOf(): Promise<Point[]> {
  points.reset()
  await meters.forceFlush()
  return points
    .getMetrics()
    .flatMap((batch) => batch.scopeMetrics)
    .flatMap((scope) => scope.metrics)
    .flatMap(({ descriptor, dataPoints }) =>
      (dataPoints as DataPoint<unknown>[]).map(({ attributes, value }) => ({
        metric: descriptor.name,
        unit: descriptor.unit,
        attributes,
        value,
      })),
    )
}

/** A memory of its own, which nobody called yet. */
export function sqlite(options: object = {}): Memory {
  const memory = createBackend('sqlite', { databasePath: ':memory:', ...options })
  onTestFinished(() => memory.close())
  return memory
}
