import { TENANT_TOKEN_LENGTH } from '../../search/analyzer.js'
import type { SearchedTable } from '../sql/engine.js'

/** A full-text index and the statements that keep it; see `migrations/sqlite`. */
export interface SearchIndex {
  readonly name: string
  readonly table: string
  /** The vocabulary of the index: one row a term, with how many rows have it. */
  readonly words: string
  /** Adds rows by their range of `seq`. */
  readonly add: string
  /** Tells the followers of the same rows; nothing where there are none. */
  readonly follow: string
}

/** The text as the index has it: the tenant's token, which the text begins with, in front of each term. */
const INDEXED = `replace(substr(search_text, ${TENANT_TOKEN_LENGTH + 1}), ' ', ' ' || substr(search_text, 1, ${TENANT_TOKEN_LENGTH}))`

/** @param told What stands for a record where followers are told of it. */
const index = (table: string, kind: string, scope: string, told = 't.id'): SearchIndex => ({
  name: `${table}_search`,
  table,
  words: `${table}_words`,
  add: `insert into ${table}_search (rowid, search_text) select seq, ${INDEXED} from ${table} where seq between ? and ?`,
  follow: `insert into bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
    select f.name, t.tenant_id, '${kind}', ${scope}, ${told}, t.revision, 0, cast(unixepoch('subsec') * 1000 as integer), 0
    from bruno_followers as f cross join ${table} as t
    where f.state <> 'retired' and exists (select 1 from json_each(f.kinds) where value = '${kind}') and t.seq between ? and ?
    on conflict (follower, tenant_id, kind, scope, record_id) do update set revision = excluded.revision, attempts = 0,
      next_attempt_at = 0, parked_at = null, error_code = null`,
})

export const indexOf: { readonly [T in SearchedTable]: SearchIndex } = {
  // Caches forget by conversation.
  messages: index('bruno_messages', 'message', 't.conversation_id', "case when f.kind = 'cache' then '' else t.id end"),
  memories: index('bruno_memories', 'memory', "''"),
  documents: index('bruno_documents', 'document', 't.namespace'),
}
