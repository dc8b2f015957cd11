import { normalize } from './vector.js'

/** How far the square of a length may be from 1 that 32-bit numbers were rounded to: twice what rounding can make of it. */
const ROUNDING = 2 ** -22

/**
 * The vector as stores keep it whose metric does not look at lengths: at length 1. One that is of length 1 already stays
 * bit for bit, so that one which was read from such a store is the same in the next. It must not be all zero.
 */
export function unitVector(vector: Float32Array): Float32Array {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += (vector[i] as number) ** 2
  return Math.abs(sum - 1) <= ROUNDING ? vector : normalize(vector)
}
