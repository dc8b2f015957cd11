/** JSON that keeps dates and `undefined`, for stored results; null where a value is none of these. */
export function encodeResult(result: unknown, maxBytes: number): string | null {
  try {
    const text = JSON.stringify(encode(result))
    return Buffer.byteLength(text) <= maxBytes ? text : null
  } catch {
    return null
  }
}

export const decodeResult = (text: string): unknown => decode(JSON.parse(text))

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
const isTagged = (keys: readonly string[]): boolean =>
  keys.length === 1 && ['$date', '$undefined', '$plain'].includes(keys[0] as string)

/** Dates as tagged objects, properties that are undefined as absent; throws for what is no data. */
export function encode(value: unknown): Json {
  if (value === undefined) return { $undefined: true }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (value instanceof Date) return { $date: value.getTime() }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    const plain = mapValues(Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)), encode)
    return isTagged(Object.keys(value)) ? { $plain: plain } : plain
  }
  throw new TypeError('not JSON')
}

function decode(value: Json): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(decode)
  if (!isTagged(Object.keys(value))) return mapValues(value, decode)
  if ('$date' in value) return new Date(value.$date as number)
  return '$undefined' in value ? undefined : mapValues(value.$plain as { [key: string]: Json }, decode)
}

function mapValues<I, O>(from: object, map: (value: I) => O): { [key: string]: O } {
  const to: { [key: string]: O } = {}
  // Assigning `__proto__` would set the prototype instead of a property.
  for (const [key, value] of Object.entries(from))
    Object.defineProperty(to, key, { value: map(value as I), enumerable: true, writable: true, configurable: true })
  return to
}
