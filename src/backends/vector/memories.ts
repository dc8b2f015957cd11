import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type { MemoryListOptions, MemoryRepository, RecallQuery } from '../../contract/repositories.js'
import { ConflictError, ValidationError } from '../../errors.js'
import type { CheckedMemory } from '../../model/check.js'
import type { MemoryPatch } from '../../model/inputs.js'
import { checkFlag, checkLimit, checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { MemoryEntry } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { checkFilter, FILTER_NAMES } from '../../repository/filter.js'
import { isAlive, matches } from '../../repository/matches.js'
import { newMemory } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { checkVersion, checkVersionOption, missing } from '../../repository/refusals.js'
import { conditionsOf } from './conditions.js'
import { newRevision, nowOf, type VectorContext } from './context.js'
import { embed, ownVector } from './embedding.js'
import { listed } from './listing.js'
import { keyOf, toPoint, toRecord } from './point.js'
import { checkVectorQuery, find } from './search.js'
import type { Guard, Point, PointWrite } from './store.js'
import { changing, Raced } from './writing.js'

const FILTERS = FILTER_NAMES.filter((name) => name !== 'namespace' && name !== 'roles')
const ORDER = ['importance', 'created'] as const

const exists = (path: string): ConflictError => new ConflictError(`${path}: a memory with this id exists already`)

interface Draft {
  readonly memory: MemoryEntry
  readonly own: Float32Array | null
  /** Whether the caller chose the id; one of ours has never been there. */
  readonly named: boolean
}

/** What is there under the ids that callers chose, which must have expired to give way. */
async function guards(context: VectorContext, drafts: readonly Draft[], path: (i: number) => string): Promise<Guard[]> {
  const { tenantId, points } = context
  const keys = drafts.map(({ memory, named }) => (named ? keyOf(tenantId, 'memory', '', memory.id) : null))
  const wanted = keys.filter((key) => key !== null)
  if (new Set(wanted).size < wanted.length) throw exists(path(keys.findIndex((key, i) => keys.indexOf(key) < i)))
  const stored = wanted.length > 0 ? await points.fetch('memory', wanted) : []
  const found = new Map(stored.map((point) => [point.key, point]))
  return keys.map((key, i) => {
    if (key === null) return null
    const point = found.get(key)
    if (!point) return 'absent'
    if (isAlive(toRecord('memory', point, tenantId), context.clock())) throw exists(path(i))
    return { revision: point.revision }
  })
}

async function insert(
  context: VectorContext,
  drafts: readonly Draft[],
  path: (i: number) => string,
): Promise<MemoryEntry[]> {
  const guarded = await guards(context, drafts, path)
  const embedded = await embed(
    context,
    drafts.map(({ memory, own }) => ({ text: memory.content, own })),
  )
  const writes = drafts.map(({ memory }, i): PointWrite => {
    const { vector, hash } = embedded[i] as (typeof embedded)[number]
    const point = toPoint('memory', memory, null, { revision: newRevision(), hash })
    return { point, vector, guard: guarded[i] as Guard }
  })
  const refused = await context.points.write('memory', writes)
  const first = writes.findIndex(({ point }) => refused.has(point.key))
  if (first >= 0) throw exists(path(first))
  return drafts.map(({ memory }) => memory)
}

/** The live memory of an id with its point, or null. */
async function lookUp(context: VectorContext, id: string, expired = false) {
  const { tenantId, points } = context
  const [point] = await points.fetch('memory', [keyOf(tenantId, 'memory', '', id)])
  if (!point) return null
  const memory = toRecord('memory', point, tenantId)
  return isAlive(memory, context.clock(), expired) ? { point, memory } : null
}

async function update(context: VectorContext, id: string, patch: MemoryPatch, version: number | undefined) {
  const found = await lookUp(context, id)
  if (!found) throw missing('memory')
  const { point, memory } = found
  checkVersion('memory', memory.version, version)
  const changed = changedRecord(memory, patch, nowOf(context))
  const [embedded] = await embed(context, [{ text: changed.content, own: null, before: point }])
  const { vector, hash } = embedded as NonNullable<typeof embedded>
  const next = toPoint('memory', changed, null, { revision: newRevision(), hash, before: point })
  const refused = await context.points.write('memory', [{ point: next, vector, guard: { revision: point.revision } }])
  if (refused.size > 0) throw new Raced()
  return changed
}

/** By importance, then newest, then id, descending. */
async function page(context: VectorContext, options: MemoryListOptions) {
  const { tenantId } = context
  const { before, after, limit, ...filter } = options
  const window = pageWindow({ before, after, limit })
  const codec = cursors(`memories:${tenantId}:${filter.userId ?? ''}`, ['number', 'number', 'string'])
  const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
  const now = context.clock()
  const query = {
    kind: 'memory',
    where: [...conditionsOf('memory', filter), ...(filter.includeExpired ? [] : [{ alive: now }])],
    order: ORDER,
    descending: !window.backward,
    after: from && { values: [from[0], from[1]], id: from[2] },
    limit: window.limit + 1,
  } as const
  const rows = await listed(context, query, (point) => {
    const memory = toRecord('memory', point, tenantId)
    return isAlive(memory, now, filter.includeExpired) && matches(filter, memory) ? memory : null
  })
  return toPage(rows, window, (m) => codec.encode(m.importance, m.createdAt.getTime(), m.id))
}

/** Counts as use, whatever becomes of the records meanwhile; those that are gone are left out. */
async function use(context: VectorContext, ids: readonly string[]): Promise<MemoryEntry[]> {
  const { tenantId, points } = context
  const used = new Map<string, MemoryEntry>()
  let left: readonly string[] = ids
  await changing('memory', undefined, async () => {
    const stored = await points.fetch(
      'memory',
      left.map((id) => keyOf(tenantId, 'memory', '', id)),
    )
    const next = stored.map((point) => counted(context, point))
    const writes = next.map(({ before, point }): PointWrite => {
      return { point, vector: before.hash === null ? null : 'keep', guard: { revision: before.revision } }
    })
    const refused = await points.write('memory', writes)
    for (const { memory, point } of next) if (!refused.has(point.key)) used.set(memory.id, memory)
    left = next.flatMap(({ memory, point }) => (refused.has(point.key) ? [memory.id] : []))
    if (left.length > 0) throw new Raced()
  })
  return ids.flatMap((id) => used.get(id) ?? [])
}

/** Use is no update: version, updatedAt and so the order stay. */
function counted(context: VectorContext, before: Point) {
  const stored = toRecord('memory', before, context.tenantId)
  const memory = { ...stored, accessCount: stored.accessCount + 1, lastAccessedAt: nowOf(context) }
  const point = toPoint('memory', memory, null, { revision: newRevision(), hash: before.hash, before })
  return { before, memory, point }
}

function recall(context: VectorContext): MemoryRepository['recall'] {
  return async (query: RecallQuery) => {
    checkNames(query, ['text', 'limit', ...FILTERS], 'query')
    const { text, limit: wanted, ...filter } = query
    const limit = checkLimit(wanted, 'limit', 10)
    checkFilter(filter)
    if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
    if (text === undefined) {
      const { items } = await page(context, { ...filter, limit })
      return items.length === 0
        ? []
        : use(
            context,
            items.map(({ id }) => id),
          )
    }
    const checked = checkVectorQuery({ ...filter, text, limit, kinds: ['memory'], rerank: false })
    const hits = text.trim() === '' ? [] : await find(context, checked, limit)
    return hits.length === 0
      ? []
      : use(
          context,
          hits.map(({ record }) => record.id),
        )
  }
}

function draft(context: VectorContext, input: CheckedMemory, path: string): Draft {
  const own = ownVector(context, input.vector, `${path}vector`)
  return { memory: newMemory(context, input), own, named: input.id !== undefined }
}

export function vectorMemories(context: VectorContext): Plain<MemoryRepository> {
  const { checks, tenantId, points } = context
  return {
    async add(input) {
      const [stored] = await insert(context, [draft(context, checks.newMemory(input), '')], () => 'id')
      return stored as MemoryEntry
    },
    async addMany(inputs) {
      const drafts = checks.newMemories(inputs).map((input, i) => draft(context, input, `memories[${i}].`))
      return drafts.length === 0 ? [] : insert(context, drafts, (i) => `memories[${i}].id`)
    },
    async get(id, options = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const found = await lookUp(context, id, checkFlag(options.includeExpired, 'includeExpired'))
      return found?.memory ?? null
    },
    async update(id, patch, options = {}) {
      checkId(id, 'id')
      const checked = checks.memoryPatch(patch)
      const version = checkVersionOption(options.version)
      return changing('memory', version, () => update(context, id, checked, version))
    },
    async delete(id) {
      checkId(id, 'id')
      if (!(await lookUp(context, id))) throw missing('memory')
      await points.remove('memory', [keyOf(tenantId, 'memory', '', id)])
    },
    async list(options = {}) {
      checkNames(options, ['before', 'after', 'limit', ...FILTERS])
      checkFilter(options)
      return page(context, options)
    },
    recall: recall(context),
  }
}
