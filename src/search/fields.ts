import type { JsonObject } from '../model/records.js'
import type { Analyzer } from './analyzer.js'

/** What of each record is searched beside its content. */

/** A message is found by its speaker's name too. */
export const messageText = (
  analyzer: Analyzer,
  tenantId: string,
  message: { readonly name: string | null; readonly content: string },
): string => analyzer.searchText(tenantId, message.name, message.content)

/** A memory is found by its category and its tags too. */
export const memoryText = (
  analyzer: Analyzer,
  tenantId: string,
  memory: {
    readonly content: string
    readonly category?: string | null | undefined
    readonly tags?: readonly string[] | undefined
  },
): string => analyzer.searchText(tenantId, memory.category ?? null, ...(memory.tags ?? []), memory.content)

/** A document is found by its title too, where its metadata has one. */
export const documentText = (
  analyzer: Analyzer,
  tenantId: string,
  document: { readonly content: string; readonly metadata?: JsonObject | undefined },
): string => {
  const title = document.metadata?.title
  return analyzer.searchText(tenantId, typeof title === 'string' ? title : null, document.content)
}
