import type { DistanceMetric } from '../contract/embedder.js'

/** A distance as a score in [0, 1], higher is nearer. Of `dot` the distance is the negative product. */
export function similarity(metric: DistanceMetric, distance: number | null): number {
  if (distance === null) return 0
  if (metric === 'euclidean') return 1 / (1 + distance)
  return Math.min(1, Math.max(0, metric === 'cosine' ? 1 - distance : -distance))
}
