import type { MetadataCondition, Scalar } from '../../contract/filter.js'
import type { SearchKind } from '../../model/records.js'
import type { Condition } from '../vector/store.js'
import { instant } from './payload.js'

/** A condition in Qdrant's words. */
export type Clause = Readonly<Record<string, unknown>>

export interface Range {
  readonly gt?: number | undefined
  readonly gte?: number | undefined
  readonly lt?: number | undefined
  readonly lte?: number | undefined
}

const is = (key: string, value: string): Clause => ({ key, match: { value } })

/** A key of the metadata in quotes, which take anything but quotes; null where the engine cannot name it. */
const pathOf = (key: string): string | null => (/["\\]/.test(key) ? null : `metadata."${key}"`)

/** Numbers by a range: equality is for integers alone. */
function scalar(key: string, value: Scalar): Clause {
  if (value === null) return { is_null: { key } }
  return typeof value === 'number' ? { key, range: { gte: value, lte: value } } : { key, match: { value } }
}

function among(key: string, values: readonly Scalar[]): Clause {
  const texts = values.filter((value) => typeof value === 'string')
  const others = values.filter((value) => typeof value !== 'string').map((value) => scalar(key, value))
  return { should: texts.length > 0 ? [{ key, match: { any: texts } }, ...others] : others }
}

/** What the engine can decide of a condition on the metadata, which may be less than it says. */
function metadataClauses(name: string, condition: MetadataCondition): Clause[] {
  const key = pathOf(name)
  if (key === null) return []
  if (typeof condition !== 'object' || condition === null) return [scalar(key, condition)]
  const { in: values, ...operands } = condition
  // Texts are not ordered by the engine.
  const range = Object.fromEntries(Object.entries(operands).filter(([, operand]) => typeof operand === 'number'))
  return [
    ...(values && values.length > 0 ? [among(key, values)] : []),
    ...(Object.keys(range).length > 0 ? [{ key, range }] : []),
  ]
}

/** A range of a field; instants are compared as such. */
export function rangeClause(field: string, { gt, gte, lt, lte }: Range): Clause {
  const [key, of] = field === 'created' ? ['created_at', instant] : [field, (value: number) => value]
  const given = Object.entries({ gt, gte, lt, lte }).filter(([, value]) => value !== undefined)
  return { key, range: Object.fromEntries(given.map(([name, value]) => [name, of(value as number)])) }
}

const EXPIRES = { key: 'expires_at' }

function clauses(condition: Condition): Clause[] {
  if ('metadata' in condition) return metadataClauses(condition.metadata, condition.is)
  if ('embedded' in condition) return [{ has_vector: '' }]
  if ('expired' in condition) return [{ ...EXPIRES, range: { lte: instant(condition.expired) } }]
  if ('alive' in condition)
    return [{ should: [{ is_empty: EXPIRES }, { ...EXPIRES, range: { gt: instant(condition.alive) } }] }]
  if ('in' in condition) {
    const { field, in: values } = condition
    return [values.length === 1 ? is(field, values[0] as string) : { key: field, match: { any: values } }]
  }
  return [rangeClause(condition.field, condition)]
}

/** The filter of a query: tenant and kind stand outside of whatever is asked. */
export function filterOf(
  tenant: string,
  kind: SearchKind,
  where: readonly Condition[],
  more: readonly Clause[] = [],
): Clause {
  const asked = [...where.flatMap(clauses), ...more]
  const outside = [is('tenant', tenant), is('kind', kind)]
  return { must: asked.length > 0 ? [...outside, { must: asked }] : outside }
}

/** Of any tenant and kind: what has expired by then. */
export const expiredFilter = (at: number): Clause => ({ must: clauses({ expired: at }) })
