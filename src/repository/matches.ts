import type { Filter, MetadataCondition, Scalar } from '../contract/filter.js'
import type { Conversation, Document, JsonValue, MemoryEntry, Message } from '../model/records.js'

type Matched = Message | MemoryEntry | Document
/** Every field that a filter looks at, on whichever kind of record has it. */
type Fields = Pick<Matched, 'createdAt' | 'metadata'> &
  Partial<Pick<MemoryEntry, 'userId' | 'conversationId' | 'category' | 'tags' | 'importance' | 'confidence'>> &
  Partial<Pick<Message, 'role'> & Pick<Document, 'namespace'>> & { readonly type?: string }

/**
 * Negative, 0 or positive, in the order of the texts' UTF-8 bytes, which every backend means: JavaScript's own order
 * puts what lies beyond U+FFFF in front of U+E000.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x !== y) return inOrder(x) - inOrder(y)
  }
  return a.length - b.length
}

/** Surrogates behind every other unit: they stand for what is larger than any of them. */
const inOrder = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit)

/** Whether a record has not expired by then, or expired ones are wanted too. A message expires with its conversation. */
export const isAlive = (holder: { readonly expiresAt: Date | null }, now: number, includeExpired = false): boolean =>
  includeExpired || holder.expiresAt === null || holder.expiresAt.getTime() > now

const compare = (found: string | number, operand: string | number): number =>
  typeof found === 'string' ? compareText(found, operand as string) : found - (operand as number)

/** Whether it is of the operand's type, and in this order to it. */
const ranges = (found: JsonValue, operand: string | number | undefined, holds: (order: number) => boolean): boolean =>
  operand === undefined ||
  (typeof found === typeof operand && holds(compare(found as string | number, operand as string | number)))

function meets(found: JsonValue, wanted: MetadataCondition): boolean {
  if (typeof wanted !== 'object' || wanted === null) return found === wanted
  return (
    (wanted.in === undefined || wanted.in.includes(found as Scalar)) &&
    ranges(found, wanted.gt, (order) => order > 0) &&
    ranges(found, wanted.gte, (order) => order >= 0) &&
    ranges(found, wanted.lt, (order) => order < 0) &&
    ranges(found, wanted.lte, (order) => order <= 0)
  )
}

/** A key is taken literally, and one that the object only inherits is absent. */
const meetsAll = (metadata: Matched['metadata'], filter: NonNullable<Filter['metadata']>): boolean =>
  Object.entries(filter).every(
    ([key, wanted]) => Object.hasOwn(metadata, key) && meets(metadata[key] as JsonValue, wanted),
  )

const is = (value: string | null | undefined, wanted: string | undefined): boolean =>
  wanted === undefined || value === wanted

const among = (value: string | undefined, wanted: readonly string[] | undefined): boolean =>
  wanted === undefined || (value !== undefined && wanted.includes(value))

function tagged(tags: readonly string[] | undefined, { tags: wanted, tagsMatch }: Filter): boolean {
  if (wanted === undefined) return true
  const has = (tag: string): boolean => tags?.includes(tag) ?? false
  return tagsMatch === 'all' ? wanted.every(has) : wanted.some(has)
}

/**
 * Whether a record meets a checked filter, as the SQL engines mean it: metadata is compared by type and value, ranges
 * hold only within a type, and a filter that the kind does not know holds for none of its records. Expiry is not looked
 * at: `isAlive` does that, for it needs the time.
 *
 * @param holder Of a message, its conversation: a message has no user of its own.
 */
export function matches(filter: Filter, record: Matched, holder?: Pick<Conversation, 'userId'>): boolean {
  const fields: Fields = record
  const { userId } = holder ?? fields
  return (
    is(userId, filter.userId) &&
    is(fields.conversationId, filter.conversationId) &&
    is(fields.namespace, filter.namespace) &&
    is(fields.category, filter.category) &&
    among(fields.role, filter.roles) &&
    among('role' in record ? undefined : fields.type, filter.types) &&
    tagged(fields.tags, filter) &&
    (filter.from === undefined || fields.createdAt >= filter.from) &&
    (filter.to === undefined || fields.createdAt < filter.to) &&
    (filter.minImportance === undefined || (fields.importance ?? -1) >= filter.minImportance) &&
    (filter.minConfidence === undefined || (fields.confidence ?? -1) >= filter.minConfidence) &&
    (filter.metadata === undefined || meetsAll(fields.metadata, filter.metadata))
  )
}
