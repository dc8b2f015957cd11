import type { JsonObject, JsonValue } from '../model/records.js'

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {})
export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
/** What is neither null, nor empty. */
export const given = (value: JsonValue | undefined): value is JsonValue =>
  value !== undefined &&
  value !== null &&
  value !== '' &&
  !(Array.isArray(value) && value.length === 0) &&
  !(isObject(value) && Object.keys(value).length === 0)

/** The object without these names, and without what is empty. */
export const without = (object: JsonObject, ...names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name, value]) => !names.includes(name) && given(value)))
/** Under one name where there is something, otherwise nothing. */
export const under = (name: string, value: JsonObject): JsonObject => (given(value) ? { [name]: value } : {})
export const joined = (texts: readonly string[]): string => texts.filter((t) => t !== '').join('\n')
