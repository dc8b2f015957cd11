import type { MemoryEntry } from '../model/records.js'
import type { CheckedFactors } from '../repository/search-query.js'

/** What a memory's score is multiplied by; see `SearchFactors`. */
export function factorsOf(
  { recency, halfLife, importance }: CheckedFactors,
  memory: MemoryEntry,
  at: number,
): { readonly recency: number; readonly importance: number } {
  const age = Math.max(0, at - memory.createdAt.getTime())
  return {
    recency: 1 - recency + recency * 0.5 ** (age / halfLife),
    importance: 1 - importance + importance * memory.importance,
  }
}
