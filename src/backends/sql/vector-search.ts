import { type SQL, sql } from 'drizzle-orm/sql/sql'
import { LRUCache } from 'lru-cache'
import type { DistanceMetric } from '../../contract/embedder.js'
import type { Filter } from '../../contract/filter.js'
import type { Hit } from '../../contract/search.js'
import type { SearchKind } from '../../model/records.js'
import { similarity } from '../../search/similarity.js'
import { RECORD_COLUMNS } from './columns.js'
import type { SqlContext } from './context.js'
import { perEngine, type SqlEngine, type SqlSession, TABLE_OF, type VectorEngine } from './engine.js'
import { type FilterSql, filterSql } from './filters.js'
import { count, list, type Selection, type Statement } from './statement.js'
import { conversationOf, shaped, WINDOW, whereOf, windowsAround } from './text-search.js'
import { rangeOf, vectorStatements } from './vector-statements.js'
import { type OpenSpace, partOf } from './vectors.js'

export interface VectorScore {
  readonly seq: number
  /** With the neighbours' similarities at lower weights. */
  readonly score: number
  readonly similarity: number
  /** The record, where it was read along. */
  readonly record?: Hit['record'] & { readonly seq: number }
  /** Which record a semantic store meant by its row. */
  readonly place?: { readonly id: string; readonly scope: string }
}

export interface VectorQuery {
  readonly vector: Float32Array
  readonly filter: Filter
  readonly limit: number
  readonly candidates: number
  readonly neighbours: boolean
  readonly exact: boolean
  /** Whether only the best are wanted, not candidates for a fusion. */
  readonly alone: boolean
  readonly values: Record<string, unknown>
}

/** What the similarity of the n-th turn before or after counts. */
const NEIGHBOURS = [1, 0.4, 0.2]
const REACH = NEIGHBOURS.length - 1
/** Numbers that are compared one by one at most; beyond, a look over sign bits comes first. */
const EXACT = 4000 * 512
/** Ranges that were small when they were counted, and when: either way gives the same answer, only in another time. */
const smallRanges = perEngine(() => new LRUCache<string, { readonly at: number; readonly n: number }>({ max: 10_000 }))
const KEPT = 10_000

/** Rows that may have expired, beside those that are wanted. */
const SLACK = 3

interface Near {
  readonly seq: number
  readonly conversationId?: string
  readonly position?: number
  readonly d: number | null
  /** Absent for a candidate, which meets the filter. */
  readonly fits?: number
  /** The rest is the record, where it is read along. */
  readonly [column: string]: unknown
}

const decodeDistance = (value: unknown): number | null => (value === null ? null : Number(value))

function selectionOf({ tables: { messages: m, ...tables } }: SqlEngine, kind: SearchKind): Selection {
  return kind === 'message'
    ? { seq: m.seq, conversationId: m.conversationId, position: m.position }
    : { seq: (kind === 'memory' ? tables.memories : tables.documents).seq }
}

/** All one by one; by a first look that the engine makes; of rows that a look in memory found. */
type Way = 'exact' | 'quick' | 'listed'
interface Plan {
  readonly way: Way
  /** Whether the filter says nothing but what narrows the range. */
  readonly plain: boolean
  readonly user: boolean
  readonly scope: boolean
  /** Whether the records are read along: nothing else will be done with the hits. */
  readonly records: boolean
}

function nearestStatement(
  engine: SqlEngine,
  vectors: VectorEngine,
  kind: SearchKind,
  filter: FilterSql,
  metric: DistanceMetric,
  { way, plain, user, scope, records }: Plan,
): Statement<Near> {
  const selection: Selection = records
    ? { seq: engine.tables[TABLE_OF[kind]].seq, ...RECORD_COLUMNS[kind](engine.tables) }
    : selectionOf(engine, kind)
  const search = {
    metric,
    table: TABLE_OF[kind],
    selection,
    join: conversationOf(engine, kind),
    where: whereOf(engine, kind, filter),
    range: rangeOf(user, scope, 'e'),
    plain,
  }
  const made = (): SQL =>
    way === 'listed'
      ? vectors.listed(search)
      : ((way === 'quick' ? vectors.quick(search) : null) ?? vectors.exact(search))
  return shaped(
    engine,
    `nearest ${way} ${plain} ${user} ${scope} ${metric} ${records}`,
    filter,
    { ...selection, d: { sql: sql``, decode: decodeDistance } },
    made,
  )
}

/** Conditions that the range of vectors has met already. */
const IN_RANGE: { readonly [K in SearchKind]: readonly (keyof Filter)[] } = {
  message: ['userId', 'conversationId'],
  memory: ['userId'],
  document: ['namespace'],
}

function isPlain(kind: SearchKind, filter: Filter): boolean {
  const names = (Object.keys(filter) as (keyof Filter)[]).filter((name) => filter[name] !== undefined)
  return names.every((name) => IN_RANGE[kind].includes(name) || name === 'includeExpired')
}

/** The records nearest to the question's vector, best first. */
export async function rankByVector(
  context: SqlContext,
  session: SqlSession,
  kind: SearchKind,
  query: VectorQuery,
): Promise<VectorScore[]> {
  const { engine, vectors } = context
  const { space } = vectors
  if (!space || !engine.vectors) return []
  const filter = filterSql(engine, kind, query.filter)
  const scopeId = kind === 'message' ? query.filter.conversationId : query.filter.namespace
  const scope = kind !== 'memory' && scopeId !== undefined
  const user = !scope && kind !== 'document' && query.filter.userId !== undefined
  const values = {
    ...filter.values,
    ...query.values,
    space: space.id,
    kind,
    scope: scopeId,
    part: partOf(context.tenantId, space.id, kind),
    vector: engine.vectors.encode(query.vector),
    bytes: query.vector.byteLength,
  }
  const smoothed = kind === 'message' && query.neighbours
  const records = query.alone && !smoothed
  const wanted = records ? query.limit : query.candidates
  const range = { user, scope }
  const { way, most } = query.exact
    ? { way: 'exact' as const, most: Number.POSITIVE_INFINITY }
    : await wayOf(context, session, space, values, range)
  const first = Math.max(400, 4 * wanted + 200)
  const find = (plan: Omit<Plan, 'records' | 'user' | 'scope'>, candidates: number, looked: readonly number[] = []) => {
    const whole = { ...plan, ...range, records }
    return session.all(nearestStatement(engine, engine.vectors as VectorEngine, kind, filter, space.metric, whole), {
      ...values,
      ...(plan.way === 'quick' && engine.vectors?.quickValues(query.vector)),
      ...(plan.way === 'listed' && { looked: engine.conditions.encodeRows(looked.map((seq) => [seq])) }),
      candidates,
      first,
    })
  }
  const plain = isPlain(kind, query.filter)
  const look = way === 'quick' ? await engine.vectors.look?.(session, values.part, query.vector, first) : null
  let rows: Near[]
  if (look) {
    const free = plain && !user && !scope
    rows = await find({ way: 'listed', plain: free }, wanted + (free ? SLACK : 0), look.seqs)
    // The filter is met by few: the others are looked at with it.
    if (rows.length < wanted && !look.all) rows = await find({ way: 'quick', plain: false }, wanted)
  } else {
    const ranged = plain && (way === 'exact' || !(user || scope))
    rows = await find({ way, plain: ranged }, wanted + (ranged ? SLACK : 0))
    // So many of the nearest have expired that the rest has to be looked at one by one.
    if (ranged && rows.length < Math.min(wanted, most)) rows = await find({ way: 'exact', plain: false }, wanted)
  }
  const near = rows.slice(0, wanted).filter((row) => row.d !== null)
  if (records)
    return near.map(({ d, ...record }) => ({
      ...alone(space, record.seq, d),
      record: record as unknown as NonNullable<VectorScore['record']>,
    }))
  if (!smoothed) return near.map(({ seq, d }) => alone(space, seq, d))
  return smooth(space, near, await around(context, session, space, filter, near, values))
}

function alone(space: OpenSpace, seq: number, d: number | null): VectorScore {
  const score = similarity(space.metric, d)
  return { seq, score, similarity: score }
}

/** How a range is searched, and how many vectors it has, as far as that was counted. */
async function wayOf(
  context: SqlContext,
  session: SqlSession,
  space: OpenSpace,
  values: Record<string, unknown>,
  { user, scope }: { readonly user: boolean; readonly scope: boolean },
): Promise<{ readonly way: 'exact' | 'quick'; readonly most: number }> {
  const bound = Math.max(100, Math.floor(EXACT / space.dimensions))
  const known = smallRanges(context.engine)
  const name = JSON.stringify([context.tenantId, space.id, values.kind, user && values.userId, scope && values.scope])
  const at = context.clock()
  const old = known.get(name)
  if (old && Math.abs(at - old.at) < KEPT) return { way: 'exact', most: old.n }
  const statement = vectorStatements(context.engine).narrowed[+user]?.[+scope]
  const [found] = statement ? await session.all(statement, { ...values, most: bound + 1 }) : []
  const n = found?.n ?? 0
  if (n <= bound / 2) known.set(name, { at, n })
  const large = n > bound && space.dimensions % 8 === 0 && space.metric === 'cosine'
  return { way: large ? 'quick' : 'exact', most: n }
}

/** The similarities of the turns around some messages. */
async function around(
  context: SqlContext,
  session: SqlSession,
  space: OpenSpace,
  filter: FilterSql,
  near: readonly Near[],
  values: Record<string, unknown>,
): Promise<Near[]> {
  const { engine } = context
  if (near.length === 0 || !engine.vectors) return []
  const { conversations: c, messages: m } = engine.tables
  const where = whereOf(engine, 'message', filter)
  const selection: Selection = {
    ...selectionOf(engine, 'message'),
    d: { sql: engine.vectors.distance(space.metric), decode: decodeDistance },
    fits: count(sql`case when ${where} then 1 else 0 end`),
  }
  const statement = shaped<Near>(
    engine,
    `vectors around ${space.metric}`,
    filter,
    selection,
    () => sql`select ${list(selection)} from ${engine.conditions.rows('windows', WINDOW)} as w
      ${engine.join} ${m} on ${m.tenantId} = ${sql.placeholder('tenantId')} and ${m.conversationId} = w.conversation_id and ${m.position} between w.low and w.high
      ${engine.join} ${c} on ${c.tenantId} = ${m.tenantId} and ${c.id} = ${m.conversationId}
      ${engine.join} ${engine.vectors?.rows} on e.tenant_id = ${m.tenantId} and e.space = ${sql.placeholder('space')} and e.kind = 'message'
        and e.scope = ${m.conversationId} and e.record_id = ${m.id}`,
  )
  const windows = engine.conditions.encodeRows(windowsAround(near, REACH))
  return session.all(statement, { ...values, windows })
}

/** Each message's similarity with those of its neighbours, at lower weights: their weighted mean. */
function smooth(space: OpenSpace, near: readonly Near[], around: readonly Near[]): VectorScore[] {
  const places = new Map<string, number>()
  const place = (conversationId: string, position: number) => `${position} ${conversationId}`
  for (const row of around)
    places.set(place(row.conversationId ?? '', row.position ?? 0), similarity(space.metric, row.d))
  const own = new Map(near.map((row) => [row.seq, row]))
  for (const row of around) if (row.fits && !own.has(row.seq)) own.set(row.seq, row)
  const scores = [...own.values()].map(({ seq, conversationId = '', position = 0, d }): VectorScore => {
    let sum = 0
    let weights = 0
    for (let away = -REACH; away <= REACH; away++) {
      const weight = NEIGHBOURS[Math.abs(away)] as number
      const other = away === 0 ? similarity(space.metric, d) : places.get(place(conversationId, position + away))
      if (other === undefined) continue
      sum += weight * other
      weights += weight
    }
    return { seq, score: sum / weights, similarity: similarity(space.metric, d) }
  })
  return scores.sort((a, b) => b.score - a.score || b.seq - a.seq)
}
