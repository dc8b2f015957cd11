/** A vector as JSON; nine digits tell every number of 32 bits from its neighbours. */
export function vectorText(vector: Float32Array): string {
  let text = '['
  for (let i = 0; i < vector.length; i++) {
    if (i > 0) text += ','
    text += shortest(vector[i] as number)
  }
  return `${text}]`
}

/** Eight digits where they say the same number of 32 bits, which they nearly always do. */
function shortest(value: number): string {
  const short = Number(value.toPrecision(8))
  return Math.fround(short) === value ? String(short) : String(Number(value.toPrecision(9)))
}
