const ZERO = 48
const [MINUS, POINT, COMMA, OPEN, CLOSE] = [45, 46, 44, 91, 93] as const
/** The sign, the number and a comma; what the engine itself writes is longer than ours. */
const LONGEST = 28
/** Numbers below have their nine digits far behind the point: the engine writes them. */
const SMALLEST = 1e-5

let bytes = Buffer.allocUnsafe(LONGEST * 1536 + 2)

/** A number of 32 bits between `SMALLEST` and 2, by the nine significant digits that tell it from all others. */
function writeDigits(at: number, magnitude: number): number {
  let scale = 1e9
  let digits = 9
  for (let below = 0.1; magnitude < below; below /= 10) {
    scale *= 10
    digits++
  }
  let rest = Math.round(magnitude * scale)
  while (rest % 10 === 0) {
    rest = (rest / 10) | 0
    digits--
  }
  if (digits <= 0) {
    bytes[at] = ZERO + rest
    return at + 1
  }
  // The digits behind the point from the last to the first, then what is in front of it.
  for (let i = at + 1 + digits; i > at + 1; i--) {
    const tenth = (rest / 10) | 0
    bytes[i] = ZERO + rest - tenth * 10
    rest = tenth
  }
  bytes[at + 1] = POINT
  bytes[at] = ZERO + rest
  return at + 2 + digits
}

/** A vector as JSON; read back as 32 bits, its numbers are the same. */
export function vectorText(vector: Float32Array): string {
  if (bytes.length < vector.length * LONGEST + 2) bytes = Buffer.allocUnsafe(vector.length * LONGEST + 2)
  bytes[0] = OPEN
  let at = 1
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i] as number
    const magnitude = Math.abs(value)
    if (i > 0) bytes[at++] = COMMA
    if (magnitude >= SMALLEST && magnitude < 2) {
      if (value < 0) bytes[at++] = MINUS
      at = writeDigits(at, magnitude)
    } else at += bytes.write(Object.is(value, -0) ? '-0.0' : JSON.stringify(value), at, 'latin1')
  }
  bytes[at++] = CLOSE
  return bytes.toString('latin1', 0, at)
}
