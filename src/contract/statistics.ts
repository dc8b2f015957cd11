import type { MemoryType } from '../model/records.js'

/** Exact counts of what is not expired, of one tenant or one of its users. */
export interface Statistics {
  readonly users: number
  readonly conversations: number
  readonly messages: number
  readonly sessions: number
  readonly activeSessions: number
  readonly memories: number
  readonly memoriesByType: { readonly [T in MemoryType]?: number }
  /** Null when asked for one user: documents belong to none. */
  readonly documents: number | null
}

export interface PurgeOptions {
  /** Rows per transaction, 1 to 10,000, default 500. */
  readonly batch?: number | undefined
}

/** Rows that a purge removed. */
export interface PurgeReport {
  readonly conversations: number
  readonly messages: number
  readonly sessions: number
  readonly memories: number
  readonly documents: number
  readonly operations: number
}
