import type { Checks, CursorCodec, Window } from '../../../src/backend-kit.js'
import { toPage } from '../../../src/backend-kit.js'
import { type Page, UnsupportedError } from '../../../src/index.js'
import type { Store } from './store.js'
import { commit, over, type Tables } from './tables.js'

/** What every repository stands on. */
export interface Means {
  readonly checks: Checks
  readonly clock: () => number
  readonly newId: () => string
}

/** The same in one tenant, on the store or inside a unit. */
export interface Context extends Means {
  readonly tenantId: string
  now(): Date
  read<T>(work: (tables: Tables) => T): Promise<T>
  /** All of it or nothing. */
  write<T>(work: (tables: Tables) => T): Promise<T>
}

function atomically<T>(below: Tables, work: (tables: Tables) => T): T {
  const tables = over(below)
  const answer = work(tables)
  commit(tables)
  return answer
}

const base = (means: Means, tenantId: string) => ({ ...means, tenantId, now: () => new Date(means.clock()) })

// What is answered is a copy: whatever becomes of it, the record stays.
export const storeContext = (means: Means, store: Store, tenantId: string): Context => ({
  ...base(means, tenantId),
  read: async (work) => structuredClone(work(store.tables(tenantId))),
  write: (work) => store.exclusively(async () => structuredClone(atomically(store.tables(tenantId), work))),
})

/** The unit has the store to itself. A verb that is refused leaves nothing of itself in the unit either. */
export const unitContext = (means: Means, tables: Tables, tenantId: string): Context => ({
  ...base(means, tenantId),
  read: async (work) => structuredClone(work(tables)),
  write: async (work) => structuredClone(atomically(tables, work)),
})

type Codec<K extends readonly unknown[]> = {
  encode(...key: K): string
  decode(cursor: unknown, field: string): K
}

export type { CursorCodec }

/** How a listing goes: by which key, and which of two keys comes first. */
export interface Listing<R, K extends readonly unknown[]> {
  readonly codec: Codec<K>
  key(row: R): K
  compare(a: K, b: K): number
}

export function pageOf<R, K extends readonly unknown[]>(rows: readonly R[], window: Window, listing: Listing<R, K>) {
  const { codec, key, compare } = listing
  const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
  const sign = window.backward ? -1 : 1
  const wanted = rows
    .filter((row) => from === null || sign * compare(key(row), from) > 0)
    .sort((a, b) => sign * compare(key(a), key(b)))
    .slice(0, window.limit + 1)
  return toPage(wanted, window, (row) => codec.encode(...key(row))) satisfies Page<R>
}

/** Refuses vectors that records bring. */
export function refuseVectors(records: readonly { readonly vector?: unknown }[]): void {
  if (records.some(({ vector }) => vector !== undefined))
    throw new UnsupportedError('vectorSearch', 'this memory keeps no vectors: add SQLite or PostgreSQL')
}
