import type { RepositoryName } from './verbs.js'

type Fill = (args: unknown[], newId: () => string) => unknown[]

/** The record with an id. What is no plain record is left to the checks at the door. */
function withId(record: unknown, newId: () => string): unknown {
  if (typeof record !== 'object' || record === null || (record as { id?: unknown }).id !== undefined) return record
  const prototype: unknown = Object.getPrototypeOf(record)
  return prototype === Object.prototype || prototype === null ? { ...record, id: newId() } : record
}

const one: Fill = (args, newId) => [withId(args[0], newId), ...args.slice(1)]
const several = (at: number): Fill => {
  return (args, newId) => {
    const given = args[at]
    const filled = Array.isArray(given) ? given.map((each) => withId(each, newId)) : withId(given, newId)
    return args.map((arg, i) => (i === at ? filled : arg))
  }
}
const branch: Fill = ([conversation, message, options = {}, ...rest], newId) => [
  conversation,
  message,
  withId(options, newId),
  ...rest,
]

const FILLS: { readonly [R in RepositoryName]?: Readonly<Record<string, Fill>> } = {
  users: { create: one },
  conversations: { create: one },
  messages: { append: several(1), upsert: several(1), branch },
  sessions: { create: one },
  memories: { add: one, addMany: several(0) },
}

/**
 * How the ids of a verb's new records are filled in, or null where it makes none. It is done before the first attempt,
 * so that a write whose answer was lost is recognised when it is made again.
 */
export const fillOf = (repository: RepositoryName, name: string): Fill | null => FILLS[repository]?.[name] ?? null
