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
import { ConflictError, UnsupportedError, ValidationError } from '../../errors.js'
import type { CheckedMemory } from '../../model/check.js'
import type { MemoryPatch, NewMemory } from '../../model/inputs.js'
import { checkFlag, checkLimit, checkNames, pageWindow, type Window } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { MemoryEntry } from '../../model/records.js'
import { changedRecord } from '../../repository/changed-records.js'
import { checkFilter, FILTER_NAMES } from '../../repository/filter.js'
import { matches } from '../../repository/matches.js'
import { newMemory } from '../../repository/new-records.js'
import { toPage } from '../../repository/paging.js'
import { checkVersion, checkVersionOption, missing } from '../../repository/refusals.js'
import { newLife, nowOf, type RedisContext } from './context.js'
import { dropNamed } from './conversation-delete.js'
import { enlist, link, listedMemory, unlink, unlist, write } from './listings.js'
import { named } from './named.js'
import { FIRST, fractionKey, from as fromMember, idOfRanked, rankedMember } from './order.js'
import { encodeRecord, endOf, isOver, type Life, lifeOf, readMemory } from './records.js'
import { newestFirst, scan } from './scan.js'
import type { Fields, Transaction } from './transaction.js'
import { ensureUser } from './users.js'

const MEMORY_FILTERS = FILTER_NAMES.filter((name) => name !== 'namespace' && name !== 'roles')

function refuseVector(vector: unknown): void {
  if (vector !== undefined)
    throw new UnsupportedError('vectorSearch', 'Redis keeps no vectors: add Qdrant, ChromaDB, or an SQL backend')
}

function draft(context: RedisContext, input: CheckedMemory): MemoryEntry {
  refuseVector(input.vector)
  return newMemory(context, input)
}

/** Writes a memory as it is to be. */
export function putMemory(tx: Transaction, { keys }: RedisContext, memory: MemoryEntry, life: Life): MemoryEntry {
  const end = endOf(life)
  const stored = { ...memory, expiresAt: end === null ? null : new Date(end) }
  write(tx, keys.memory(memory.id), { d: encodeRecord('memory', stored) }, life)
  enlist(tx, keys, listedMemory(stored), life)
  link(tx, keys, stored.conversationId, listedMemory(stored), life)
  return stored
}

async function insert(
  tx: Transaction,
  context: RedisContext,
  batch: readonly MemoryEntry[],
  path: (i: number) => string,
): Promise<MemoryEntry[]> {
  const { keys } = context
  const made = new Set<string>()
  const stored: MemoryEntry[] = []
  for (const userId of new Set(batch.map((memory) => memory.userId)))
    await ensureUser(tx, context, userId, batch.filter((memory) => memory.userId === userId).length)
  for (const id of new Set(batch.map((memory) => memory.conversationId))) await named(tx, context, id)
  await tx.lockMany(batch.map((memory) => keys.memory(memory.id)))
  for (const [i, memory] of batch.entries()) {
    const fields = await tx.lock(keys.memory(memory.id))
    if (made.has(memory.id) || (fields.d !== null && !isOver(lifeOf(fields), context.clock())))
      throw new ConflictError(`${path(i)}: a memory with this id exists already`)
    made.add(memory.id)
    await dropNamed(tx, context, 'memory', memory.id)
    stored.push(putMemory(tx, context, memory, newLife(context, memory.expiresAt)))
    tx.writes.told.push({ type: 'memory.added', key: [memory.id], count: 1 })
  }
  return stored
}

export function redisMemories(context: RedisContext): Plain<MemoryRepository> {
  const { runner, tenantId, keys, checks } = context
  const show = (fields: Fields, expired: boolean): MemoryEntry | null =>
    !expired && isOver(lifeOf(fields), context.clock()) ? null : readMemory(fields, tenantId)
  const find = (tx: Transaction, filter: MemoryFilter, window: Window, edge: string | null) => {
    const { userId, minImportance, includeExpired = false } = filter
    const key = userId === undefined ? keys.memories() : keys.memories(userId)
    const low = minImportance === undefined ? FIRST : fromMember(fractionKey(minImportance))
    return scan(tx, { key, low, ...newestFirst(window, edge) }, async (members) => {
      const all = await tx.manyFields(members.map((member) => keys.memory(idOfRanked(member))))
      return all.map((fields, i) => {
        const found = show(fields, includeExpired)
        return found && listedMemory(found).member === members[i] && matches(filter, found) ? found : null
      })
    })
  }
  const page = async (tx: Transaction, options: MemoryListOptions) => {
    const window = pageWindow(options)
    const codec = cursors(`memories:${tenantId}:${options.userId ?? ''}`, ['number', 'number', 'string'])
    const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
    const edge = from && rankedMember(from[0], new Date(from[1]), from[2])
    const rows = await find(tx, options, window, edge)
    return toPage(rows, window, (m) => codec.encode(m.importance, m.createdAt.getTime(), m.id))
  }
  return {
    async add(input: NewMemory) {
      const made = draft(context, checks.newMemory(input))
      const [stored] = await runner.write((tx) => insert(tx, context, [made], () => 'id'))
      return stored as MemoryEntry
    },
    async addMany(inputs: readonly NewMemory[]) {
      const made = checks.newMemories(inputs).map((input) => draft(context, input))
      if (made.length === 0) return []
      return runner.write((tx) => insert(tx, context, made, (i) => `memories[${i}].id`))
    },
    async get(id: string, options: ReadOptions = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return runner.read(async (tx) => show(await tx.fields(keys.memory(id)), expired))
    },
    async update(id: string, patch: MemoryPatch, options: UpdateOptions = {}) {
      checkId(id, 'id')
      const checked = checks.memoryPatch(patch)
      const version = checkVersionOption(options.version)
      return runner.write(async (tx) => {
        const fields = await tx.lock(keys.memory(id))
        const stored = show(fields, false)
        if (!stored) throw missing('memory')
        checkVersion('memory', stored.version, version)
        const before = lifeOf(fields)
        const life = checked.expiresAt === undefined ? before : { ...before, own: checked.expiresAt?.getTime() ?? null }
        const merged = changedRecord(stored, checked, nowOf(context))
        if (merged.importance !== stored.importance) unlist(tx, keys, listedMemory(stored))
        if (merged.conversationId !== stored.conversationId) {
          unlink(tx, keys, stored.conversationId, listedMemory(stored))
          await named(tx, context, merged.conversationId)
        }
        tx.writes.told.push({ type: 'memory.updated', key: [id], count: 1 })
        return putMemory(tx, context, merged, life)
      })
    },
    async delete(id: string) {
      checkId(id, 'id')
      await runner.write(async (tx) => {
        if (!show(await tx.lock(keys.memory(id)), false)) throw missing('memory')
        await dropNamed(tx, context, 'memory', id)
        tx.writes.told.push({ type: 'memory.deleted', key: [id], count: 1 })
      })
    },
    async list(options: MemoryListOptions = {}) {
      checkNames(options, ['before', 'after', 'limit', ...MEMORY_FILTERS])
      checkFilter(options)
      pageWindow(options)
      return runner.read((tx) => page(tx, options))
    },
    async recall(query: RecallQuery) {
      checkNames(query, ['text', 'limit', ...MEMORY_FILTERS], 'query')
      const { text, limit: wanted, ...filter } = query
      const limit = checkLimit(wanted, 'limit', 10)
      if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
      checkFilter(filter)
      if (text !== undefined)
        throw new UnsupportedError('textSearch', 'Redis finds no words: add SQLite or PostgreSQL as the primary')
      return runner.write(async (tx) => {
        const found = (await page(tx, { ...filter, limit })).items
        const at = nowOf(context)
        const used: MemoryEntry[] = []
        await tx.lockMany(found.map(({ id }) => keys.memory(id)))
        for (const { id } of found) {
          const fields = await tx.lock(keys.memory(id))
          const stored = show(fields, filter.includeExpired === true)
          if (!stored) continue
          const next = { ...stored, accessCount: stored.accessCount + 1, lastAccessedAt: at }
          // Use is no update: version, updatedAt and so the order stay.
          write(tx, keys.memory(id), { d: encodeRecord('memory', next) }, null)
          used.push(next)
        }
        return used
      })
    },
  }
}
