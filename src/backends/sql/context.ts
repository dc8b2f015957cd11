import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Reranker } from '../../contract/search.js'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.js'
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
  readonly reranker: Reranker | null
  /** What the parts of a hybrid search count. */
  readonly weights: { readonly text: number; readonly vector: number }
  readonly checks: Checks
  readonly clock: () => number
  readonly newId: () => string
}

/** The same, in one tenant and on one runner: the store, or a unit. */
export interface SqlContext extends SqlStoreContext {
  readonly tenantId: string
  readonly runner: SqlRunner
}

export const now = (context: SqlStoreContext): Date => new Date(context.clock())
export { EMPTY } from './statement.js'

/** Rows that have not expired; all of them with `includeExpired`. */
export const alive = (column: AnySQLiteColumn, includeExpired = false): SQL =>
  includeExpired ? sql`true` : sql`(${column} is null or ${column} > ${sql.param(sql.placeholder('now'), column)})`

export const tenantIs = (column: AnySQLiteColumn): SQL => sql`${column} = ${value('tenantId')}`

export const exists = (kind: string): ConflictError => new ConflictError(`a ${kind} with this id exists already`)
export const missing = (kind: string): NotFoundError => new NotFoundError(kind)

/** Refuses a write over another version than the one that was read. */
export function checkVersion(kind: string, stored: number, wanted: number | undefined): void {
  if (wanted !== undefined && stored !== wanted)
    throw new ConflictError(`the ${kind} has been changed since version ${wanted} (it is at ${stored})`)
}

export function checkVersionOption(version: unknown): number | undefined {
  if (version !== undefined && !(Number.isSafeInteger(version) && (version as number) >= 1))
    throw new ValidationError('version', 'must be a safe integer of at least 1')
  return version as number | undefined
}
