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

export interface SettleOptions {
  /** Milliseconds to wait, default 30,000; then `TimeoutError`. */
  readonly deadline?: number | undefined
}

/** What is still to be done after writes: vectors to be made, stores to be told. */
export interface SettleReport {
  /** Records that wait for their turn, or for another attempt. */
  readonly pending: number
  /** Records that were tried in vain and are left alone until they change or are queued again. */
  readonly parked: number
}
