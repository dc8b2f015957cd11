import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Filter } from '../../contract/filter.js'
import type { SearchKind } from '../../model/records.js'
import { alive } from './context.js'
import { perEngine, type SqlEngine } from './engine.js'
import { bind, type Values } from './statement.js'

export interface FilterSql {
  readonly conditions: readonly SQL[]
  readonly values: Values
  /** Names the shape of the SQL, so that its text can be kept; null where it depends on the values. */
  readonly shape: string | null
}

/** Conditions by shape: most searches of a program look alike. */
const conditionsOf = perEngine(() => new Map<string, readonly SQL[]>())

/** The filter as SQL conditions over placeholders, with their values. */
export function filterSql(engine: SqlEngine, kind: SearchKind, filter: Filter, backward = false): FilterSql {
  const used = SIMPLE.filter((name) => filter[name] !== undefined)
  const shape = filter.metadata ? null : [kind, ...used, filter.tagsMatch ?? '', !!filter.includeExpired].join(' ')
  const name = `${shape} ${backward}`
  const known = conditionsOf(engine)
  let conditions = shape === null ? undefined : known.get(name)
  if (!conditions) {
    conditions = makeConditions(engine, kind, filter, used, backward)
    if (shape !== null) known.set(name, conditions)
  }
  const { texts } = engine.conditions
  const values: Record<string, unknown> = { ...filter }
  for (const name of ['roles', 'types', 'tags'] as const) if (filter[name]) values[name] = texts(filter[name])
  if (filter.tags) values.tagCount = new Set(filter.tags).size
  return { conditions, values, shape }
}

/** Filters that are one condition each, in a fixed order. */
const SIMPLE = [
  'userId',
  'conversationId',
  'namespace',
  'category',
  'from',
  'to',
  'minImportance',
  'minConfidence',
  'roles',
  'types',
  'tags',
] as const

function makeConditions(
  engine: SqlEngine,
  kind: SearchKind,
  filter: Filter,
  used: readonly (typeof SIMPLE)[number][],
  backward: boolean,
): readonly SQL[] {
  const { messages, memories, documents, conversations } = engine.tables
  const table = { message: messages, memory: memories, document: documents }[kind]
  const { among, tags, metadata } = engine.conditions
  const holder = kind === 'message' ? conversations : table
  const compare = (column: AnySQLiteColumn, operator: string, name: string): SQL =>
    sql`${column} ${sql.raw(operator)} ${bind(column, name)}`
  const simple: { readonly [K in (typeof SIMPLE)[number]]: () => SQL } = {
    userId: () => compare(kind === 'message' ? conversations.userId : memories.userId, '=', 'userId'),
    conversationId: () =>
      compare(kind === 'message' ? messages.conversationId : memories.conversationId, '=', 'conversationId'),
    namespace: () => compare(documents.namespace, '=', 'namespace'),
    category: () => compare(memories.category, '=', 'category'),
    from: () => compare(table.createdAt, '>=', 'from'),
    to: () => compare(table.createdAt, '<', 'to'),
    // Read backward from a cursor, an index would start at this bound instead of at the cursor: the sign hides it.
    minImportance: () => sql`${sql.raw(backward ? '+' : '')}${compare(memories.importance, '>=', 'minImportance')}`,
    minConfidence: () => compare(memories.confidence, '>=', 'minConfidence'),
    roles: () => among(sql`${messages.role}`, 'roles'),
    types: () => among(sql`${memories.type}`, 'types'),
    tags: () => tags(sql`${memories.tags}`, filter.tagsMatch ?? 'any'),
  }
  const conditions = used.map((name) => simple[name]())
  if (filter.metadata) conditions.push(...metadata(sql`${table.metadata}`, filter.metadata))
  conditions.push(alive((holder as typeof memories).expiresAt, filter.includeExpired))
  return conditions
}
