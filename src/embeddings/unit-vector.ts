import { normalize } from './vector.js'

/** What rounding to 32 bits leaves of a length of 1, and more. */
const ROUNDING = 1e-6

/**
 * A vector at length 1. One that is of this length already stays as it is, bit for bit: normalised once more, its last
 * bits would change with every store that it passes through.
 */
export function unitVector(vector: Float32Array): Float32Array {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += (vector[i] as number) ** 2
  return Math.abs(Math.sqrt(sum) - 1) <= ROUNDING ? vector : normalize(vector)
}
