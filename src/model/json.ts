import { ValidationError } from '../errors.js'
import type { JsonObject, JsonValue } from './records.js'
import { textProblem } from './text.js'

export interface JsonBounds {
  /** Bytes of UTF-8, as serialised. */
  readonly bytes: number
  readonly depth: number
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/
/** `metadata.a` or `metadata["a b"]`. Keys longer than a line are cut: a path is read by people. */
export const childPath = (path: string, key: string): string =>
  IDENTIFIER.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key.slice(0, 80))}]`

class Copier {
  #units = 0
  readonly #ancestors: object[] = []
  constructor(
    readonly bounds: JsonBounds,
    readonly field: string,
  ) {}

  value(input: unknown, path: string): JsonValue {
    switch (typeof input) {
      case 'string':
        return this.#text(input, path)
      case 'number':
        return this.#number(input, path)
      case 'boolean':
        this.#spend(5)
        return input
      case 'object':
        if (input !== null) return this.#nested(input, path)
        this.#spend(4)
        return null
      default:
        throw new ValidationError(path, `must be JSON (found ${typeof input})`)
    }
  }

  #spend(units: number): void {
    this.#units += units
    if (this.#units > this.bounds.bytes)
      throw new ValidationError(this.field, `must be at most ${this.bounds.bytes} bytes as JSON`)
  }

  #text(text: string, path: string): string {
    this.#spend(text.length + 2)
    const problem = textProblem(text, Number.POSITIVE_INFINITY)
    if (problem) throw new ValidationError(path, problem)
    return text
  }

  #number(value: number, path: string): number {
    if (!Number.isFinite(value)) throw new ValidationError(path, 'must be a finite number')
    if (Number.isInteger(value) && !Number.isSafeInteger(value))
      throw new ValidationError(path, 'must be a safe integer (at most 2^53 - 1 in size)')
    this.#spend(8)
    return value === 0 ? 0 : value
  }

  #nested(input: object, path: string): JsonValue {
    if (this.#ancestors.length >= this.bounds.depth)
      throw new ValidationError(this.field, `must be nested at most ${this.bounds.depth} levels deep`)
    if (this.#ancestors.includes(input)) throw new ValidationError(path, 'must not contain itself')
    this.#ancestors.push(input)
    this.#spend(2)
    const copy = Array.isArray(input)
      ? Array.from(input, (item, i) => this.value(item, `${path}[${i}]`))
      : this.object(input, path)
    this.#ancestors.pop()
    return copy
  }

  object(input: object, path: string): JsonObject {
    const prototype: unknown = Object.getPrototypeOf(input)
    if (prototype !== Object.prototype && prototype !== null)
      throw new ValidationError(path, 'must be JSON (found an instance of a class)')
    const copy: JsonObject = {}
    for (const [key, item] of Object.entries(input)) {
      // As JSON.stringify does: a property that is undefined is absent.
      if (item === undefined) continue
      const where = childPath(path, key)
      this.#text(key, where)
      // Assigning `__proto__` would set the prototype instead of a property.
      if (key === '__proto__')
        Object.defineProperty(copy, key, {
          value: this.value(item, where),
          enumerable: true,
          writable: true,
          configurable: true,
        })
      else copy[key] = this.value(item, where)
    }
    return copy
  }
}

/** A copy of a JSON object that the caller cannot change any more; anything that is not JSON is refused by path. */
export function copyJsonObject(input: unknown, field: string, bounds: JsonBounds): JsonObject {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new ValidationError(field, 'must be an object')
  const copy = new Copier(bounds, field).value(input, field) as JsonObject
  checkSize(copy, field, bounds)
  return copy
}

export function copyJson(input: unknown, field: string, bounds: JsonBounds): JsonValue {
  const copy = new Copier(bounds, field).value(input, field)
  checkSize(copy, field, bounds)
  return copy
}

// The copier counts UTF-16 units as it goes, to stop early; escapes and multi-byte characters are counted here.
function checkSize(copy: JsonValue, field: string, bounds: JsonBounds): void {
  if (Buffer.byteLength(JSON.stringify(copy)) > bounds.bytes)
    throw new ValidationError(field, `must be at most ${bounds.bytes} bytes as JSON`)
}

/** Merges one level deep: keys of `patch` replace keys of `base`. */
export function mergeJson(base: JsonObject, patch: JsonObject): JsonObject {
  const merged: JsonObject = {}
  for (const source of [base, patch])
    for (const [key, value] of Object.entries(source))
      Object.defineProperty(merged, key, { value, enumerable: true, writable: true, configurable: true })
  return merged
}
