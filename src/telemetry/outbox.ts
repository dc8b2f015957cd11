import type { BatchObservableCallback, Meter } from '@opentelemetry/api'
import type { OutboxStats } from '../contract/telemetry.js'

/** Tells of the outbox whenever metrics are collected, until the function that it answers is called. */
export function observeOutbox(meter: Meter, stats: OutboxStats): () => void {
  const depth = meter.createObservableGauge('bruno_memory.outbox.depth', {
    description: 'Records that a follower still has to be told of.',
    unit: '{record}',
  })
  const oldest = meter.createObservableGauge('bruno_memory.outbox.oldest_age', {
    description: 'Time since the oldest of them was written.',
    unit: 's',
  })
  const parked = meter.createObservableGauge('bruno_memory.outbox.parked', {
    description: 'Records that a follower could not be told of, and that are not tried again by themselves.',
    unit: '{record}',
  })
  const gauges = [depth, oldest, parked]
  const observe: BatchObservableCallback = async (result) => {
    // A store that is away has nothing to tell; its calls say so.
    const followers = await stats().catch(() => [])
    for (const { follower, ...of } of followers) {
      result.observe(depth, of.depth, { follower })
      result.observe(oldest, of.oldestAge / 1000, { follower })
      result.observe(parked, of.parked, { follower })
    }
  }
  meter.addBatchObservableCallback(observe, gauges)
  return () => meter.removeBatchObservableCallback(observe, gauges)
}
