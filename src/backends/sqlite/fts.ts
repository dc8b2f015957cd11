import type { SearchedTable } from '../sql/engine.js'

/** A full-text index and the statements that keep it; see `migrations/sqlite`. */
export interface SearchIndex {
  readonly name: string
  readonly table: string
  /** Adds rows by their range of `seq`. */
  readonly add: string
}

const index = (table: string): SearchIndex => ({
  name: `${table}_search`,
  table,
  add: `insert into ${table}_search (rowid, search_text) select seq, search_text from ${table} where seq between ? and ?`,
})

export const indexOf: { readonly [T in SearchedTable]: SearchIndex } = {
  messages: index('bruno_messages'),
  memories: index('bruno_memories'),
  documents: index('bruno_documents'),
}
