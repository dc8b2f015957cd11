/**
 * A copy of arguments that are looked at later, and must not change until then. What is no plain data is left as it is:
 * the checks at the door refuse it as they would have done at once.
 */
export function snapshot(value: unknown, seen = new Map<object, unknown>(), depth = 0): unknown {
  // Deeper than any limit allows: the checks refuse it before they get there.
  if (typeof value !== 'object' || value === null || depth > 1000) return value
  const known = seen.get(value)
  if (known !== undefined) return known
  if (value instanceof Date) return new Date(value.getTime())
  // A vector: an array of numbers by whatever name.
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<number>)
  if (Array.isArray(value)) {
    const copy: unknown[] = []
    seen.set(value, copy)
    for (const item of value) copy.push(snapshot(item, seen, depth + 1))
    return copy
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy: object = Object.create(prototype as object | null)
  seen.set(value, copy)
  // Assigning `__proto__` would set the prototype instead of a property.
  for (const [key, item] of Object.entries(value))
    Object.defineProperty(copy, key, {
      value: snapshot(item, seen, depth + 1),
      enumerable: true,
      writable: true,
      configurable: true,
    })
  return copy
}
