import { createHash } from 'node:crypto'
import type { EmbeddingSpace } from '../contract/embedder.js'
import { StorageError, ValidationError } from '../errors.js'

/** More than any model in use has; a vector's memory is bounded by it. */
export const MAX_DIMENSIONS = 16_384
const MAX_ID = 255

/**
 * A vector that a caller brings: an array of finite numbers, not all zero, rounded to 32 bits.
 *
 * @throws ValidationError that names the field.
 */
export function checkVector(value: unknown, field: string, dimensions: number | null = null): Float32Array {
  const length = typeof value === 'object' && value !== null ? (value as ArrayLike<unknown>).length : undefined
  if (typeof length !== 'number') throw new ValidationError(field, 'must be an array of numbers')
  if (!Number.isInteger(length) || length < 1 || length > MAX_DIMENSIONS)
    throw new ValidationError(field, `must have 1 to ${MAX_DIMENSIONS} numbers`)
  if (dimensions !== null && length !== dimensions)
    throw new ValidationError(field, `must have ${dimensions} numbers, as the memory's vectors do, and has ${length}`)
  const vector = new Float32Array(length)
  let zero = true
  for (let i = 0; i < length; i++) {
    const number = (value as ArrayLike<unknown>)[i]
    if (typeof number !== 'number' || !Number.isFinite(Math.fround(number)))
      throw new ValidationError(`${field}[${i}]`, 'must be a finite number of 32 bits')
    vector[i] = number
    if (vector[i] !== 0) zero = false
  }
  if (zero) throw new ValidationError(field, 'must not be all zeros')
  return vector
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Little-endian values of 32 bits, as they are at rest. */
export function encodeVector(vector: Float32Array): Buffer {
  if (littleEndian) return Buffer.from(Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength))
  const bytes = Buffer.allocUnsafe(vector.length * 4)
  vector.forEach((value, i) => {
    bytes.writeFloatLE(value, i * 4)
  })
  return bytes
}

/** @throws StorageError where the bytes are no vector. */
export function decodeVector(bytes: Uint8Array): Float32Array {
  if (bytes.byteLength === 0 || bytes.byteLength % 4 !== 0) throw new StorageError('a stored vector cannot be read')
  // A copy: the bytes may start anywhere, and 32-bit values may not.
  const copy = new Uint8Array(bytes)
  if (littleEndian) return new Float32Array(copy.buffer)
  const view = new DataView(copy.buffer)
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getFloat32(i * 4, true))
}

/** The same direction at length 1, a copy; the vector must not be all zero. */
export function normalize(vector: Float32Array): Float32Array {
  // In 64 bits: squares of 32-bit numbers neither overflow nor vanish there.
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += (vector[i] as number) ** 2
  const length = Math.sqrt(sum)
  const unit = new Float32Array(vector.length)
  for (let i = 0; i < vector.length; i++) unit[i] = (vector[i] as number) / length
  return unit
}

/** A readable id such as `offline/energetic-ai-en/512/cosine`; a long one ends in a hash. */
export function spaceId({ provider, model, dimensions, metric }: EmbeddingSpace): string {
  const id = [provider, model, dimensions, metric].join('/')
  if (Buffer.byteLength(id) <= MAX_ID) return id
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 32)
  return `${Array.from(id).slice(0, 50).join('')}…${hash}`
}

/** Signs as bits, one a dimension; null where they fill no whole bytes. */
export function signBits(vector: Float32Array): Buffer | null {
  if (vector.length % 8 !== 0) return null
  const bits = Buffer.alloc(vector.length / 8)
  for (let i = 0; i < vector.length; i++)
    if ((vector[i] as number) > 0) bits[i >> 3] = (bits[i >> 3] as number) | (1 << (i & 7))
  return bits
}
