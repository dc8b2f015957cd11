import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { SemanticSearch } from '../../contract/follow.js'
import type { Reranker } from '../../contract/search.js'
import type { Counters, Logger } from '../../contract/telemetry.js'
import type { Checks } from '../../model/check.js'
import type { Analyzer, Analyzers } from '../../search/analyzer.js'
import type { SqlEngine, SqlRunner } from './engine.js'
import { value } from './statement.js'
import type { SqlVectors } from './vectors.js'

/** What the repositories of one store share. */
export interface SqlStoreContext {
  readonly engine: SqlEngine
  readonly analyzer: Analyzer
  readonly analyzers: Analyzers
  readonly vectors: SqlVectors
  /** Compares vectors in this store's place. */
  readonly semantic: SemanticSearch | null
  readonly reranker: Reranker | null
  /** What the parts of a hybrid search count. */
  readonly weights: { readonly text: number; readonly vector: number }
  readonly checks: Checks
  readonly clock: () => number
  readonly newId: () => string
  /** Makes names of those who take work, and tells whether one of them has ended. */
  readonly newOwner?: (() => string) | undefined
  readonly isDead?: ((owner: string) => boolean) | undefined
  readonly logger?: Logger | undefined
  readonly counters?: Counters | undefined
}

/** The same, in one tenant and on one runner: the store, or a unit. */
export interface SqlContext extends SqlStoreContext {
  readonly tenantId: string
  readonly runner: SqlRunner
}

export const now = (context: SqlStoreContext): Date => new Date(context.clock())
export { checkVersion, checkVersionOption, exists, missing } from '../../repository/refusals.js'
export { EMPTY } from './statement.js'

/** Rows that have not expired; all of them with `includeExpired`. */
export const alive = (column: AnySQLiteColumn, includeExpired = false): SQL =>
  includeExpired ? sql`true` : sql`(${column} is null or ${column} > ${sql.param(sql.placeholder('now'), column)})`

export const tenantIs = (column: AnySQLiteColumn): SQL => sql`${column} = ${value('tenantId')}`
