import type { BackendScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import type { Hit, SearchMode, SearchQuery } from '../contract/search.js'
import { BrunoMemoryError, UnsupportedError } from '../errors.js'
import type { Document, MemoryEntry } from '../model/records.js'
import { MAX_PAGE } from '../options.js'
import type { CheckedContext } from './query.js'

/** Memories and documents for a prompt, best first: more than are wanted, for some may be said already. */
export interface Related {
  readonly memories: readonly MemoryEntry[]
  readonly documents: readonly Document[]
  /** Whether vectors were wanted and only words were searched, because the model failed. */
  readonly degraded: boolean
}

/** Of `maxMemories` in a mixed context: at most so many are found by the question, as long as there are important ones. */
const FOUND_OF_MIXED = 0.7

/** What can be searched, and where. */
export interface Searching {
  readonly scope: BackendScope
  readonly capabilities: Pick<Capabilities, 'textSearch' | 'vectorSearch'>
  /** Inside a unit no model is waited for: without a vector, words alone are searched. */
  readonly inUnit: boolean
}

/** What a model or its service may do; a mistake of the caller and a closed memory are theirs to know. */
const isFallible = (error: unknown): boolean =>
  error instanceof BrunoMemoryError && error.code !== 'validation' && error.code !== 'closed'

/** The mode where the caller names none; null where nothing can be searched. */
function ownMode({ capabilities, inUnit }: Searching, query: CheckedContext, question: string): SearchMode | null {
  const { textSearch, vectorSearch } = capabilities
  // A vector that cannot be used is refused by the search, not passed over.
  if (query.vector !== null) return question === '' || !textSearch ? 'vector' : 'hybrid'
  if (vectorSearch && !inUnit) return textSearch ? 'hybrid' : 'vector'
  return textSearch ? 'text' : null
}

/** Searches in the mode that was asked for; where none was, by words alone if the model fails. */
class Finder {
  degraded = false
  #mode: SearchMode | null

  constructor(
    readonly searching: Searching,
    readonly query: CheckedContext,
    readonly question: string,
  ) {
    this.#mode = query.mode ?? (searching.scope.search ? ownMode(searching, query, question) : null)
  }

  async find(wanted: SearchQuery): Promise<Hit[]> {
    if (this.#mode === null || (this.question === '' && this.query.vector === null)) return []
    try {
      return await this.#search(this.#mode, wanted)
    } catch (error) {
      if (this.query.mode !== null || this.query.vector !== null || this.#mode === 'text' || !isFallible(error))
        throw error
      this.#mode = this.searching.capabilities.textSearch ? 'text' : null
      // Vectors that no model makes here are not missed.
      this.degraded = !(error instanceof UnsupportedError)
      return this.find(wanted)
    }
  }

  #search(mode: SearchMode, wanted: SearchQuery): Promise<Hit[]> {
    const { search } = this.searching.scope
    if (!search) throw new UnsupportedError('textSearch', 'this memory has no search: add SQLite or PostgreSQL')
    const { vector } = this.query
    const words = mode === 'vector' && this.question === '' ? {} : { text: this.question }
    return search({ ...wanted, ...words, mode, ...(mode !== 'text' && vector !== null && { vector }) })
  }
}

/** More than are wanted: some may be said already. */
const enough = (limit: number): number => Math.min(MAX_PAGE, limit * 2)

async function memoriesFor(finder: Finder): Promise<MemoryEntry[]> {
  const { userId, maxMemories, strategy } = finder.query
  const { memories } = finder.searching.scope
  if (maxMemories === 0) return []
  const limit = enough(maxMemories)
  const hits = strategy === 'important' ? [] : await finder.find({ kinds: ['memory'], userId, limit })
  const found = hits.map((hit) => hit.record as MemoryEntry)
  if (strategy === 'relevant' || !memories) return found
  const important = (await memories.list({ userId, limit })).items
  const first = found.slice(0, Math.ceil(maxMemories * FOUND_OF_MIXED))
  const known = new Set<string>()
  return [...first, ...important, ...found].filter(({ id }) => !known.has(id) && known.add(id))
}

async function documentsFor(finder: Finder): Promise<Document[]> {
  const { namespaces, maxDocuments } = finder.query
  if (maxDocuments === 0) return []
  const hits: Hit[] = []
  for (const namespace of namespaces)
    hits.push(...(await finder.find({ kinds: ['document'], namespace, limit: enough(maxDocuments) })))
  return hits.sort((a, b) => b.score - a.score).map((hit) => hit.record as Document)
}

/** Nothing is searched for a `recent` context. Calls do not overlap: a unit has one connection. */
export async function relatedTo(searching: Searching, query: CheckedContext, question: string): Promise<Related> {
  if (query.strategy === 'recent') return { memories: [], documents: [], degraded: false }
  const finder = new Finder(searching, query, question.trim() === '' ? '' : question)
  const memories = await memoriesFor(finder)
  const documents = await documentsFor(finder)
  return { memories, documents, degraded: finder.degraded }
}
