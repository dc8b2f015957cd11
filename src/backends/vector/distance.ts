import type { DistanceMetric } from '../../contract/embedder.js'

/** Computed in 64 bits: `cosine` 1 - the product of vectors of length 1, `dot` the negative product, else Euclid's. */
export function distanceOf(metric: DistanceMetric, a: Float32Array, b: Float32Array): number {
  let sum = 0
  if (metric === 'euclidean') {
    for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2
    return Math.sqrt(sum)
  }
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return metric === 'cosine' ? 1 - sum : -sum
}
