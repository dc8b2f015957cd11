import {
  type CheckedMemory,
  checkFilter,
  checkFlag,
  checkId,
  checkLimit,
  checkNames,
  checkVersion,
  checkVersionOption,
  compareText,
  cursors,
  exists,
  FILTER_NAMES,
  isAlive,
  matches,
  mergeJson,
  missing,
  type Plain,
  pageWindow,
} from '../../../src/backend-kit.js'
import {
  type MemoryEntry,
  type MemoryListOptions,
  type MemoryRepository,
  UnsupportedError,
  ValidationError,
} from '../../../src/index.js'
import { type Context, pageOf, refuseVectors } from './context.js'
import type { Tables } from './tables.js'
import { ensureUser } from './users.js'

const FILTERS = FILTER_NAMES.filter((name) => name !== 'namespace' && name !== 'roles')
type Key = [importance: number, createdAt: number, id: string]

function draft(context: Context, input: CheckedMemory): MemoryEntry {
  const createdAt = input.createdAt ?? context.now()
  return {
    tenantId: context.tenantId,
    id: input.id ?? context.newId(),
    userId: input.userId,
    conversationId: input.conversationId ?? null,
    type: input.type ?? 'long_term',
    content: input.content,
    source: input.source ?? null,
    category: input.category ?? null,
    tags: input.tags ?? [],
    confidence: input.confidence ?? 1,
    importance: input.importance ?? 0.5,
    accessCount: input.accessCount ?? 0,
    relatedIds: input.relatedIds ?? [],
    metadata: input.metadata ?? {},
    lastAccessedAt: input.lastAccessedAt ?? null,
    expiresAt: input.expiresAt ?? null,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
  }
}

function find(context: Context, tables: Tables, id: string, expired = false): MemoryEntry | null {
  const found = tables.memories.get(id)
  return found && isAlive(found, context.clock(), expired) ? found : null
}

/** One that has expired under the same id gives way. */
function insert(context: Context, tables: Tables, batch: readonly MemoryEntry[]): readonly MemoryEntry[] {
  for (const entry of batch) {
    if (find(context, tables, entry.id)) throw exists('memory')
    ensureUser(context, tables, entry.userId)
    tables.memories.set(entry.id, entry)
  }
  return batch
}

/** By importance, then newest, then id, descending. */
function page(context: Context, tables: Tables, options: MemoryListOptions) {
  const { before, after, limit, ...filter } = options
  const now = context.clock()
  const wanted = (entry: MemoryEntry): boolean => isAlive(entry, now, filter.includeExpired) && matches(filter, entry)
  return pageOf(tables.memories.rows().filter(wanted), pageWindow({ before, after, limit }), {
    codec: cursors(`memories:${context.tenantId}:${filter.userId ?? ''}`, ['number', 'number', 'string']),
    key: (entry): Key => [entry.importance, entry.createdAt.getTime(), entry.id],
    compare: ([a, aAt, aId]: Key, [b, bAt, bId]: Key) => b - a || bAt - aAt || compareText(bId, aId),
  })
}

function recall(context: Context): MemoryRepository['recall'] {
  return async (query) => {
    checkNames(query, ['text', 'limit', ...FILTERS], 'query')
    const { text, limit: wanted, ...filter } = query
    const limit = checkLimit(wanted, 'limit', 10)
    checkFilter(filter)
    if (text !== undefined && typeof text !== 'string') throw new ValidationError('text', 'must be a string')
    if (text !== undefined)
      throw new UnsupportedError('textSearch', 'this memory has no textSearch: add SQLite or PostgreSQL')
    return context.write((tables) =>
      page(context, tables, { ...filter, limit }).items.map((entry) => {
        // Use is no update: version, updatedAt and so the order stay.
        const used = { ...entry, accessCount: entry.accessCount + 1, lastAccessedAt: context.now() }
        tables.memories.set(entry.id, used)
        return used
      }),
    )
  }
}

export function memories(context: Context): Plain<MemoryRepository> {
  const { checks } = context
  return {
    async add(input) {
      const checked = checks.newMemory(input)
      refuseVectors([checked])
      const made = draft(context, checked)
      return context.write((tables) => insert(context, tables, [made])[0] as MemoryEntry)
    },
    async addMany(inputs) {
      const checked = checks.newMemories(inputs)
      refuseVectors(checked)
      const made = checked.map((input) => draft(context, input))
      return context.write((tables) => [...insert(context, tables, made)])
    },
    async get(id, options = {}) {
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      return context.read((tables) => find(context, tables, id, expired))
    },
    async update(id, patch, options = {}) {
      checkId(id, 'id')
      const { metadata = {}, ...fields } = checks.memoryPatch(patch)
      const version = checkVersionOption(options.version)
      return context.write((tables) => {
        const stored = find(context, tables, id)
        if (!stored) throw missing('memory')
        checkVersion('memory', stored.version, version)
        const merged = { metadata: mergeJson(stored.metadata, metadata), updatedAt: context.now() }
        const changed = { ...stored, ...fields, ...merged, version: stored.version + 1 } as MemoryEntry
        tables.memories.set(id, changed)
        return changed
      })
    },
    async delete(id) {
      checkId(id, 'id')
      await context.write((tables) => {
        if (!find(context, tables, id)) throw missing('memory')
        tables.memories.delete(id)
      })
    },
    async list(options = {}) {
      checkNames(options, ['before', 'after', 'limit', ...FILTERS])
      checkFilter(options)
      return context.read((tables) => page(context, tables, options))
    },
    recall: recall(context),
  }
}
