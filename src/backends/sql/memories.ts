import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type {
  MemoryFilter,
  MemoryListOptions,
  MemoryRepository,
  ReadOptions,
  RecallQuery,
  UpdateOptions,
} from '../../contract/repositories.js'
import { ValidationError } from '../../errors.js'
import type { CheckedMemory } from '../../model/check.js'
import type { MemoryPatch, NewMemory } from '../../model/inputs.js'
import { checkFlag, checkLimit, checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { MemoryEntry } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { checkFilter, FILTER_NAMES } from '../../repository/filter.js'
import { newMemory } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { memoryText } from '../../search/fields.js'
import { memoryColumns } from './columns.js'
import { alive, checkVersion, checkVersionOption, missing, now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { type FilterSql, filterSql } from './filters.js'
import { searchMemories } from './search.js'
import { bind, list, type Statement, value } from './statement.js'
import { ensureUser } from './users.js'

import { writeOwnVectors } from './vector-writing.js'
import { assignments } from './write.js'

const PATCHED = [
  'conversationId',
  'type',
  'content',
  'source',
  'category',
  'tags',
  'confidence',
  'importance',
  'relatedIds',
  'metadata',
  'expiresAt',
  'searchText',
  'updatedAt',
  'version',
] as const
const MEMORY_FILTERS = FILTER_NAMES.filter((name) => name !== 'namespace' && name !== 'roles')

const statements = perEngine((engine) => {
  const { memories: t } = engine.tables
  const selection = memoryColumns(engine.tables)
  const one = sql`${tenantIs(t.tenantId)} and ${t.id} = ${value('id')}`
  const get = (expired: boolean): SQL =>
    sql`select ${list(selection)} from ${t} where ${one} and ${alive(t.expiresAt, expired)}`
  const kept = new Map<string, Statement<MemoryEntry>>()
  const listing = (filter: FilterSql, cursor: boolean, backward: boolean): SQL => {
    const direction = sql.raw(backward ? 'asc' : 'desc')
    return sql`select ${list(selection)} from ${t} where ${tenantIs(t.tenantId)} and ${sql.join([...filter.conditions], sql` and `)}
      ${cursor ? sql`and (${t.importance}, ${t.createdAt}, ${t.id}) ${sql.raw(backward ? '>' : '<')} (${value('importance')}, ${bind(t.createdAt, 'at')}, ${value('fromId')})` : sql``}
      order by ${t.importance} ${direction}, ${t.createdAt} ${direction}, ${t.id} ${direction} limit ${value('limit')}`
  }
  return {
    get: engine.statement(selection, () => get(false)),
    getAny: engine.statement(selection, () => get(true)),
    lock: engine.statement(selection, () => sql`${get(false)} ${engine.forUpdate}`),
    update: engine.command(
      () =>
        sql`update ${t} set ${assignments(engine, 'memories', PATCHED)}, revision = ${engine.revision} where ${one}`,
    ),
    delete: engine.command(() => sql`delete from ${t} where ${one}`),
    deleteExpired: engine.command(
      () => sql`delete from ${t} where ${tenantIs(t.tenantId)} and ${engine.conditions.among(sql`${t.id}`, 'ids')}
          and ${t.expiresAt} <= ${bind(t.expiresAt, 'now')}`,
    ),
    // Use is no update: version, updatedAt and so the order stay.
    use: engine.command(
      () => sql`update ${t} set access_count = ${t.accessCount} + 1, last_accessed_at = ${bind(t.lastAccessedAt, 'now')}, revision = ${engine.revision}
        where ${tenantIs(t.tenantId)} and ${engine.conditions.among(sql`${t.id}`, 'ids')}`,
    ),
    list(filter: FilterSql, cursor: boolean, backward: boolean): Statement<MemoryEntry> {
      const name = filter.shape === null ? null : `${filter.shape} ${cursor} ${backward}`
      const found = name === null ? undefined : kept.get(name)
      if (found) return found
      const made: Statement<MemoryEntry> = engine.statement(selection, () => listing(filter, cursor, backward))
      if (name !== null) kept.set(name, made)
      return made
    },
  }
})

type Draft = MemoryEntry & { readonly searchText: string; readonly vector: Float32Array | null }

function draft(context: SqlContext, input: CheckedMemory, path = ''): Draft {
  return {
    ...newMemory(context, input),
    vector: context.vectors.own(input.vector, `${path}vector`),
    searchText: memoryText(context.analyzer, context.tenantId, input),
  }
}

async function insert(
  context: SqlContext,
  session: SqlSession,
  batch: readonly Draft[],
  path: (i: number) => string,
): Promise<MemoryEntry[]> {
  const { deleteExpired } = statements(context.engine)
  const at = now(context)
  for (const userId of new Set(batch.map((memory) => memory.userId))) await ensureUser(context, session, userId)
  const ids = context.engine.conditions.texts(batch.map((memory) => memory.id))
  await session.run(deleteExpired, { tenantId: context.tenantId, ids, now: at })
  await context.engine.insert(
    session,
    'memories',
    batch as readonly object[] as readonly Record<string, unknown>[],
    path,
  )
  await writeOwnVectors(
    context,
    session,
    'memory',
    batch.map(({ id, vector }) => ({ scope: '', id, vector })),
  )
  return batch.map(({ searchText: _s, vector: _v, ...memory }) => memory)
}

export function sqlMemories(context: SqlContext): Plain<MemoryRepository> {
  const { runner, tenantId, engine, checks } = context
  const s = statements(engine)
  const checked = (filter: MemoryFilter, backward = false): FilterSql => {
    checkFilter(filter)
    return filterSql(engine, 'memory', filter, backward)
  }
  const page = async (session: SqlSession, options: MemoryListOptions, filter: FilterSql) => {
    const { before: _b, after: _a, limit: _l, ...rest } = options
    const window = pageWindow(options)
    const codec = cursors(`memories:${tenantId}:${options.userId ?? ''}`, ['number', 'number', 'string'])
    const [importance, at, fromId] = window.cursor === null ? [0, 0, ''] : codec.decode(window.cursor, window.field)
    const statement = s.list(filter, window.cursor !== null, window.backward)
    const values = {
      ...rest,
      ...filter.values,
      tenantId,
      importance,
      at: new Date(at),
      fromId,
      now: now(context),
      limit: window.limit + 1,
    }
    const rows = await session.all(statement, values)
    return toPage<MemoryEntry>(rows, window, (m) => codec.encode(m.importance, m.createdAt.getTime(), m.id))
  }
  return {
    async add(input: NewMemory) {
      const made = draft(context, checks.newMemory(input))
      const [stored] = await runner.write((session) => insert(context, session, [made], () => 'id'))
      return stored as MemoryEntry
    },
    async addMany(inputs: readonly NewMemory[]) {
      const made = checks.newMemories(inputs).map((input, i) => draft(context, input, `memories[${i}].`))
      if (made.length === 0) return []
      return runner.write((session) => insert(context, session, made, (i) => `memories[${i}].id`))
    },
    async get(id: string, options: ReadOptions = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const statement = checkFlag(options.includeExpired, 'includeExpired') ? s.getAny : s.get
      return runner.read(
        async (session) => (await session.all(statement, { tenantId, id, now: now(context) }))[0] ?? null,
      )
    },
    async update(id: string, patch: MemoryPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const changes = checks.memoryPatch(patch)
      const version = checkVersionOption(options.version)
      return runner.write(async (session) => {
        const [stored] = await session.all(s.lock, { tenantId, id, now: now(context) })
        if (!stored) throw missing('memory')
        checkVersion('memory', stored.version, version)
        const merged = changedRecord(stored, changes, now(context))
        await session.run(s.update, { ...merged, searchText: memoryText(context.analyzer, tenantId, merged) })
        return merged
      })
    },
    async delete(id: string) {
      checkId(id, 'id')
      await runner.write(async (session) => {
        const [stored] = await session.all(s.lock, { tenantId, id, now: now(context) })
        if (!stored) throw missing('memory')
        await session.run(s.delete, { tenantId, id })
      })
    },
    async list(options: MemoryListOptions = {}) {
      checkNames(options, ['before', 'after', 'limit', ...MEMORY_FILTERS])
      const filter = checked(options, options.before !== undefined)
      pageWindow(options)
      return runner.read((session) => page(session, options, filter))
    },
    async recall(query: RecallQuery) {
      checkNames(query, ['text', 'limit', ...MEMORY_FILTERS], 'query')
      const { text, limit: wanted, ...filter } = query
      const limit = checkLimit(wanted, 'limit', 10)
      if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
      const conditions = checked(filter)
      return runner.write(async (session) => {
        const found =
          text === undefined
            ? (await page(session, { ...filter, limit }, conditions)).items
            : await searchMemories(context, session, text, filter, limit)
        const at = now(context)
        const ids = engine.conditions.texts(found.map((memory) => memory.id))
        if (found.length > 0) await session.run(s.use, { tenantId, ids, now: at })
        return found.map((memory) => ({ ...memory, accessCount: memory.accessCount + 1, lastAccessedAt: at }))
      })
    },
  }
}
