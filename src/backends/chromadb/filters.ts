import type { MetadataCondition, Scalar } from '../../contract/filter.js'
import type { Condition } from '../vector/store.js'
import { fractionValue, NOWHERE, numberValue, textOrder, textValue, token } from './metadata.js'

/** A condition in Chroma's words. */
export type Where = Readonly<Record<string, unknown>>

interface Range<T> {
  readonly gt?: T | undefined
  readonly gte?: T | undefined
  readonly lt?: T | undefined
  readonly lte?: T | undefined
}

const all = (conditions: readonly Where[]): Where | undefined =>
  conditions.length > 1 ? { $and: conditions } : conditions[0]

/** Revisions start at 1. An empty list is no condition to the engine. */
const NOTHING: Where = { revision: 0 }

const any = (conditions: readonly Where[]): Where =>
  conditions.length > 1 ? { $or: conditions } : (conditions[0] ?? NOTHING)

function among(name: string, values: readonly string[]): Where {
  if (values.length === 0) return NOTHING
  return values.length === 1 ? { [name]: values[0] } : { [name]: { $in: values } }
}

/** Bounds by whole numbers that nearest values may share: what is open becomes closed, and meets no less. */
function within<T>(name: string, { gt, gte, lt, lte }: Range<T>, of: (value: T) => number): Where[] {
  const low = gte ?? gt
  const high = lte ?? lt
  return [
    ...(low === undefined ? [] : [{ [name]: { $gte: of(low) } }]),
    ...(high === undefined ? [] : [{ [name]: { $lte: of(high) } }]),
  ]
}

/** Of whole numbers. */
const exactly = (name: string, range: Range<number>): Where[] =>
  Object.entries(range).flatMap(([operator, value]) =>
    value === undefined ? [] : [{ [name]: { [`$${operator}`]: value } }],
  )

const tokenOf = (value: Scalar): string => token(value) as string

function metadataWhere(key: string, condition: MetadataCondition): Where[] {
  const name = `m:${key}`
  if (typeof condition !== 'object' || condition === null) return [{ [name]: token(condition) }]
  const { in: values, ...operands } = condition
  const numbers = Object.fromEntries(Object.entries(operands).filter(([, value]) => typeof value === 'number'))
  const texts = Object.fromEntries(Object.entries(operands).filter(([, value]) => typeof value === 'string'))
  return [
    ...(values ? [among(name, values.map(tokenOf))] : []),
    ...within<number>(`n:${key}`, numbers, numberValue),
    ...within<string>(`s:${key}`, texts, textOrder),
  ]
}

function clauses(condition: Condition): Where[] {
  if ('metadata' in condition) return metadataWhere(condition.metadata, condition.is)
  if ('embedded' in condition) return [{ embedded: true }]
  if ('alive' in condition) return [{ expires: { $gt: condition.alive } }]
  if ('expired' in condition) return [{ expires: { $lte: condition.expired } }]
  if ('in' in condition) {
    const { field, in: values } = condition
    return field === 'tags'
      ? [any(values.map((tag) => ({ [`t:${tag}`]: true })))]
      : [among(field, values.map(textValue))]
  }
  const { field, ...range } = condition
  // What stands for null is less than anything, and is in no range.
  if (field === 'position') return [{ position: { $gt: NOWHERE } }, ...exactly(field, range)]
  if (field === 'created') return exactly(field, range)
  return [{ [field]: { $gte: 0 } }, ...within(field, range, fractionValue)]
}

/** The conditions as one; undefined where there are none. The tenant and the kind are the collection itself. */
export const whereOf = (where: readonly Condition[], more: readonly Where[] = []): Where | undefined =>
  all([...where.flatMap(clauses), ...more])
