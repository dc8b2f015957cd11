import type { RepositoryName } from './verbs.js'

/** Which argument holds a verb's new records, and how it gets their ids. */
export interface Fill {
  readonly at: 0 | 1 | 2
  readonly fill: (argument: unknown, newId: () => string) => unknown
}

/** The record with an id. What is no plain record is left to the checks at the door. */
function withId(record: unknown, newId: () => string): unknown {
  if (typeof record !== 'object' || record === null || (record as { id?: unknown }).id !== undefined) return record
  const prototype: unknown = Object.getPrototypeOf(record)
  return prototype === Object.prototype || prototype === null ? { ...record, id: newId() } : record
}

const withIds = (records: unknown, newId: () => string): unknown =>
  Array.isArray(records) ? records.map((each) => withId(each, newId)) : withId(records, newId)

const one: Fill = { at: 0, fill: withId }
const several: Fill = { at: 1, fill: withIds }

const FILLS: { readonly [R in RepositoryName]?: Readonly<Record<string, Fill>> } = {
  users: { create: one },
  conversations: { create: one },
  messages: {
    append: several,
    upsert: several,
    branch: { at: 2, fill: (options, newId) => withId(options === undefined ? {} : options, newId) },
  },
  sessions: { create: one },
  memories: { add: one, addMany: { at: 0, fill: withIds } },
}

/**
 * How the ids of a verb's new records are filled in, or null where it makes none. It is done before the first attempt,
 * so that a write whose answer was lost is recognised when it is made again.
 */
export const fillOf = (repository: RepositoryName, name: string): Fill | null => FILLS[repository]?.[name] ?? null

export const filled = (args: readonly unknown[], { at, fill }: Fill, newId: () => string): unknown[] => {
  const all = [...args]
  while (all.length <= at) all.push(undefined)
  all[at] = fill(all[at], newId)
  return all
}
