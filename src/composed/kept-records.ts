import { StorageError } from '../errors.js'
import { type Field, RECORD_FIELDS, type RecordOf } from '../model/fields.js'
import type { RecordKind } from '../model/records.js'

/** Makes a record of its plain values. @throws StorageError where they are not what `storedValues` made. */
export type Revive<K extends RecordKind> = (values: unknown, tenantId: string) => RecordOf[K]

/**
 * Makes records of one kind from what `storedValues` made of them, which nobody else writes: their values are not checked
 * again.
 *
 * @param apart Fields that were left out. They are null until the caller puts them in.
 */
export function reviver<K extends RecordKind>(kind: K, apart: readonly (keyof RecordOf[K] & string)[]): Revive<K> {
  const fields = (RECORD_FIELDS[kind] as readonly Field[]).filter(
    ({ name }) => name !== 'tenantId' && !(apart as readonly string[]).includes(name),
  )
  const names = fields.map(({ name }) => name)
  const instants = fields.map(({ type }) => type === 'instant')
  // Copies of one object have its shape; one that gets its fields by name, one after another, becomes a slow dictionary.
  const shape: Record<string, unknown> = Object.fromEntries(
    ['tenantId', ...apart, ...names].map((name) => [name, null]),
  )
  return (values, tenantId) => {
    if (!Array.isArray(values) || values.length !== names.length)
      throw new StorageError(`a stored ${kind} cannot be read`)
    const record = { ...shape }
    record.tenantId = tenantId
    for (let i = 0; i < names.length; i++) {
      const value: unknown = values[i]
      record[names[i] as string] = instants[i] && value !== null ? new Date(value as number) : value
    }
    return record as unknown as RecordOf[K]
  }
}
