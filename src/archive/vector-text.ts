import { ValidationError } from '../errors.js'

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** The bytes of some base64 text, which must be spelled as we spell it. */
export function bytesOf(value: unknown, field: string): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : null
  // What is no base64 is left out without a word, so that other bytes would be read.
  if (!bytes || bytes.toString('base64') !== value) throw new ValidationError(field, 'must be base64')
  return new Uint8Array(bytes)
}

/** A vector as base64 of its 32-bit values, bit for bit. */
export function textOf(vector: Float32Array): string {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)
  return (littleEndian ? bytes : Buffer.from(bytes).swap32()).toString('base64')
}

export function vectorOf(value: unknown): Float32Array {
  const bytes = bytesOf(value, 'vector')
  if (bytes.length === 0 || bytes.length % 4 !== 0) throw new ValidationError('vector', 'must be 32-bit values')
  if (!littleEndian) Buffer.from(bytes.buffer).swap32()
  return new Float32Array(bytes.buffer)
}
