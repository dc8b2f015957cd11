import type { JsonValue } from './records.js'

type Json = JsonValue | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * JSON in the canonical form of RFC 8785: keys in the order of their UTF-16 units, no spaces, numbers and strings as
 * ECMAScript writes them. Two values that mean the same have the same text, in whatever order a store keeps keys.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) return canonicalObject(value as { readonly [key: string]: Json })
  // JSON.stringify would write null, and two different values would get one digest.
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('a number in JSON must be finite')
  return JSON.stringify(value)
}

function canonicalObject(object: { readonly [key: string]: Json | undefined }): string {
  let text = ''
  for (const key of Object.keys(object).sort()) {
    const value = object[key]
    if (value !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value)}`
  }
  return `{${text}}`
}
