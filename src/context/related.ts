import type { BackendScope } from '../contract/backend.js'
import type { SearchMode, SearchQuery } from '../contract/search.js'
import { BrunoMemoryError, UnsupportedError } from '../errors.js'
import type { Document, MemoryEntry } from '../model/records.js'
import type { CheckedContext } from './query.js'

/** Memories and documents for a prompt, best first. */
export interface Related {
  readonly memories: readonly MemoryEntry[]
  readonly documents: readonly Document[]
  /** Whether vectors were wanted and only words were searched, because the model failed. */
  readonly degraded: boolean
}

const NONE: Related = { memories: [], documents: [], degraded: false }

/** Searches in the mode that was asked for; where none was, by words alone if the vectors cannot be had. */
class Finder {
  degraded = false
  constructor(
    readonly scope: BackendScope,
    readonly query: CheckedContext,
    readonly question: string,
    public mode: SearchMode,
  ) {}

  async find(wanted: Omit<SearchQuery, 'text' | 'vector' | 'mode'>) {
    const { vector } = this.query
    if (!this.scope.search || (this.question.trim() === '' && vector === null)) return []
    const ask = (mode: SearchMode) =>
      this.scope.search?.({
        ...wanted,
        mode,
        text: this.question,
        ...(mode !== 'text' && vector !== null && { vector }),
      }) ?? Promise.resolve([])
    try {
      return await ask(this.mode)
    } catch (error) {
      if (this.query.mode !== null || this.mode === 'text' || !isFallible(error)) throw error
      this.mode = 'text'
      this.degraded = !(error instanceof UnsupportedError)
      return ask('text')
    }
  }
}

/** What a model or its service may do; a mistake of the caller is theirs to know. */
const isFallible = (error: unknown): boolean => error instanceof BrunoMemoryError && error.code !== 'validation'

async function memoriesFor({ scope, query }: Finder, finder: Finder): Promise<MemoryEntry[]> {
  const { userId, maxMemories: limit, strategy } = query
  if (limit === 0) return []
  const found: MemoryEntry[] = []
  if (strategy !== 'important') {
    const hits = await finder.find({ kinds: ['memory'], userId, limit })
    found.push(...hits.map((hit) => hit.record as MemoryEntry))
  }
  if (strategy !== 'relevant' && found.length < limit && scope.memories) {
    const { items } = await scope.memories.list({ userId, limit })
    const known = new Set(found.map(({ id }) => id))
    found.push(...items.filter(({ id }) => !known.has(id)).slice(0, limit - found.length))
  }
  return found
}

async function documentsFor(finder: Finder): Promise<Document[]> {
  const { namespaces, maxDocuments: limit } = finder.query
  if (limit === 0) return []
  const hits = []
  for (const namespace of new Set(namespaces))
    hits.push(...(await finder.find({ kinds: ['document'], namespace, limit })))
  const best = hits.sort((a, b) => b.score - a.score).slice(0, limit)
  return best.map((hit) => hit.record as Document)
}

export async function relatedTo(
  scope: BackendScope,
  query: CheckedContext,
  question: string,
  vectors: boolean,
): Promise<Related> {
  if (query.strategy === 'recent') return NONE
  const finder = new Finder(scope, query, question, query.mode ?? (vectors ? 'hybrid' : 'text'))
  const memories = await memoriesFor(finder, finder)
  const documents = await documentsFor(finder)
  return { memories, documents, degraded: finder.degraded }
}
