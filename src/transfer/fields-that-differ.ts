import type { Carried } from '../contract/transfer.js'
import { unitVector } from '../embeddings/unit.js'
import { encodeVector } from '../embeddings/vector.js'
import { canonicalJson } from '../model/canonical.js'
import { type Field, RECORD_FIELDS } from '../model/fields.js'
import type { VectorRule } from './record-hash.js'

function textOf({ type }: Field, value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (type === 'instant') return String((value as Date).getTime())
  return type === 'json' ? canonicalJson(value as never) : `=${String(value)}`
}

function vectorText({ vector }: Carried, rule: VectorRule): string {
  if (!vector || rule === 'none') return ''
  return encodeVector(rule === 'unit' ? unitVector(vector.vector) : vector.vector).toString('base64')
}

/** The names of the fields in which two records of one key differ. */
export function differingFields(mine: Carried, theirs: Carried, rule: VectorRule): string[] {
  const [one, other] = [mine.record, theirs.record] as unknown as Readonly<Record<string, unknown>>[]
  const names = (RECORD_FIELDS[mine.kind] as readonly Field[])
    .filter((field) => textOf(field, one?.[field.name]) !== textOf(field, other?.[field.name]))
    .map(({ name }) => name)
  return vectorText(mine, rule) === vectorText(theirs, rule) ? names : [...names, 'vector']
}
