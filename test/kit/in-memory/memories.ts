import {
  changedRecord,
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
  missing,
  newMemory,
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
      const made = newMemory(context, checked)
      return context.write((tables) => insert(context, tables, [made])[0] as MemoryEntry)
    },
    async addMany(inputs) {
      const checked = checks.newMemories(inputs)
      refuseVectors(checked)
      const made = checked.map((input) => newMemory(context, input))
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
      const checked = checks.memoryPatch(patch)
      const version = checkVersionOption(options.version)
      return context.write((tables) => {
        const stored = find(context, tables, id)
        if (!stored) throw missing('memory')
        checkVersion('memory', stored.version, version)
        const changed = changedRecord(stored, checked, context.now())
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
