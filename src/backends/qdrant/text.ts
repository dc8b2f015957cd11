/** Nine decimal places say nearly every number of 32 bits near 1, in half the characters of the number itself. */
const PLACES = 1e9

/** A vector as JSON; read back as 32 bits, its numbers are the same. */
export function vectorText(vector: Float32Array): string {
  const numbers = new Array<number>(vector.length)
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i] as number
    const short = Math.round(value * PLACES) / PLACES
    numbers[i] = Math.fround(short) === value ? short : value
  }
  return JSON.stringify(numbers)
}
