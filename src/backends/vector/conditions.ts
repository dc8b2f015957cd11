import type { Filter } from '../../contract/filter.js'
import type { SearchKind } from '../../model/records.js'
import type { Condition, NumberField, Point, TextField } from './store.js'

type Texts = readonly (readonly [TextField, readonly string[] | undefined])[]
type Ranges = readonly (readonly [NumberField, { readonly gte?: number; readonly lt?: number } | null])[]

const one = (value: string | undefined): readonly string[] | undefined => (value === undefined ? undefined : [value])
const from = (value: number | undefined) => (value === undefined ? null : { gte: value })

/** A checked filter as conditions. Whether records have expired is added by whoever asks. */
export function conditionsOf(kind: SearchKind, filter: Filter): Condition[] {
  const { tags, tagsMatch, types, roles, metadata } = filter
  const texts: Texts = [
    ['user', one(filter.userId)],
    ['conversation', one(filter.conversationId)],
    ['namespace', one(filter.namespace)],
    ['category', one(filter.category)],
    ['role', roles],
    // A message has a type too, which is not the filter's.
    ['type', kind === 'memory' ? types : undefined],
    ...(tagsMatch === 'all' ? (tags ?? []).map((tag) => ['tags', [tag]] as const) : [['tags', tags] as const]),
  ]
  const ranges: Ranges = [
    ['created', from(filter.from?.getTime())],
    ['created', filter.to ? { lt: filter.to.getTime() } : null],
    ['importance', from(filter.minImportance)],
    ['confidence', from(filter.minConfidence)],
  ]
  return [
    ...texts.flatMap(([field, values]) => (values ? [{ field, in: values }] : [])),
    ...ranges.flatMap(([field, range]) => (range ? [{ field, ...range }] : [])),
    ...Object.entries(metadata ?? {}).map(([key, is]) => ({ metadata: key, is })),
  ]
}

function inRange(value: number | null, { gt, gte, lt, lte }: Extract<Condition, { field: NumberField }>): boolean {
  if (value === null) return false
  return (
    (gt === undefined || value > gt) &&
    (gte === undefined || value >= gte) &&
    (lt === undefined || value < lt) &&
    (lte === undefined || value <= lte)
  )
}

/** Whether a point meets a condition, those on `metadata` left out: whoever asks looks at the record. */
function meets({ fields, hash }: Point, condition: Condition): boolean {
  if ('metadata' in condition) return true
  if ('embedded' in condition) return hash !== null
  if ('alive' in condition) return fields.expires === null || fields.expires > condition.alive
  if ('expired' in condition) return fields.expires !== null && fields.expires <= condition.expired
  if ('in' in condition) {
    const value = fields[condition.field]
    return typeof value === 'string'
      ? condition.in.includes(value)
      : (value?.some((each) => condition.in.includes(each)) ?? false)
  }
  return inRange(fields[condition.field], condition)
}

export const meetsAll = (point: Point, where: readonly Condition[]): boolean =>
  where.every((condition) => meets(point, condition))
