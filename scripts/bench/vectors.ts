/** Vectors of length 1 that are the same in every run. */
export function vectors(dimensions: number, seed = 1): () => Float32Array {
  let state = seed >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  // The sum of some even numbers is nearly normal, so that directions are even too.
  const normal = (): number => next() + next() + next() + next() - 2
  return () => {
    const vector = Float32Array.from({ length: dimensions }, normal)
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
    return vector.map((value) => value / length)
  }
}
