import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect, test } from 'vitest'
import { sqlite } from './support.js'

const ended: ReadableSpan[] = []
let begun = 0
let breaks = true

/** Throws at the end of each span and at the beginning of every other one, as a processor with a mistake in it does. */
class Broken implements SpanProcessor {
  onStart(): void {
    if (breaks && begun++ % 2) throw new Error('broken')
  }
  onEnd(span: ReadableSpan): void {
    ended.push(span)
    if (breaks) throw new Error('broken')
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new Broken()] }))

test('what listens may be broken, and no write fails by it', async () => {
  const memory = sqlite()
  for (const id of ['a', 'b', 'c', 'd']) await memory.users.create({ id })
  await memory.unitOfWork((unit) => unit.users.create({ id: 'e' }))
  const read: string[] = []
  for await (const { id } of memory.users.each()) read.push(id)
  expect(read).toEqual(['a', 'b', 'c', 'd', 'e'])
  await expect(memory.users.create({ id: 'a' })).rejects.toMatchObject({ code: 'conflict' })
  expect(ended.length).toBeGreaterThan(3)
})

test('where nothing carries the current span on, a unit knows its own calls', async () => {
  breaks = false
  ended.length = 0
  const memory = sqlite()
  await memory.connect()
  await memory.unitOfWork((unit) => unit.unitOfWork((inner) => inner.users.create({ id: 'a' })))
  const [create, inner, outer] = ended
  expect(create?.parentSpanContext?.spanId).toBe(inner?.spanContext().spanId)
  expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId)
  expect(outer?.parentSpanContext).toBeUndefined()
})
