import type { CommonOptions } from './options.js'

/** A backend of a memory: its name, its URL, or one of them as `backend` with options of its own. */
export type MemberEntry = string | ({ readonly backend: string } & Readonly<Record<string, unknown>>)

/** What `createMemory` is told. Options beside these are shared: each backend is given those that it knows. */
export interface MemoryOptions extends CommonOptions {
  /** Holds the truth: SQLite or PostgreSQL. Any backend where nothing follows it. */
  readonly primary: MemberEntry
  /**
   * What the primary is moved to, by `transfer --online`: once it has been, calls go there, and those that are under way
   * are made again there. A unit's callback may run a second time, when nothing of its first run was stored.
   */
  readonly movingTo?: MemberEntry | undefined
  /** Finds by meaning, and follows the primary: Qdrant or ChromaDB. */
  readonly semantic?: MemberEntry | undefined
  /** Answers what was read before, and follows the primary: Redis. */
  readonly cache?: MemberEntry | undefined
  /**
   * When a write is answered: `background` (default) when it is stored in the primary, the others following within
   * milliseconds; `await` when they have followed. `off`: another process settles, by `bruno-memory settle`.
   */
  readonly settle?: 'background' | 'await' | 'off' | undefined
  /** Milliseconds that `settle: 'await'` and a fresh search wait for, default 10,000; then `TimeoutError`. */
  readonly settleDeadline?: number | undefined
  /** What is answered from the cache. */
  readonly reads?: ReadCacheOptions | undefined
}

export interface ReadCacheOptions {
  /** Messages at the end of a conversation that are kept, 0 to 1,000, default 50; 0 keeps none. */
  readonly window?: number | undefined
  /** Whether answers to searches are kept. Default true. */
  readonly searches?: boolean | undefined
  /** Seconds that anything is kept at most, default 300: what changed is forgotten at once. */
  readonly ttl?: number | undefined
}
