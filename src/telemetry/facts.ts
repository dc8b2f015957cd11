/** Where a verb takes several records at once. */
const BATCHES: Readonly<Record<string, number>> = {
  'messages.append': 1,
  'messages.upsert': 1,
  'memories.addMany': 0,
  'documents.upsert': 0,
}

/** How many records a call brings; undefined for one, which is no batch. */
export function batchOf(name: string, args: readonly unknown[]): number | undefined {
  const place = BATCHES[name]
  const given = place === undefined ? undefined : args[place]
  return Array.isArray(given) && given.length > 1 ? given.length : undefined
}

/** What these answer is the program's own. */
const FOREIGN = /^(cache\.|rateLimiter\.|unitOfWork$)/

/** How many records an answer has; undefined where it is not made of records. */
export function rowsOf(name: string, answer: unknown): number | undefined {
  if (FOREIGN.test(name)) return undefined
  if (answer === null) return 0
  if (Array.isArray(answer)) return answer.length
  if (typeof answer !== 'object') return undefined
  const { items, createdAt } = answer as { readonly items?: unknown; readonly createdAt?: unknown }
  if (Array.isArray(items)) return items.length
  return createdAt instanceof Date ? 1 : undefined
}

/**
 * The name of a database, or the number of one of Redis. A file's path may name a person: it is told to nobody. What
 * does not look like a name is left out, because a URL that is not well-formed may have a password there.
 */
export function namespaceOf(options: object): string | undefined {
  const { connectionString, url, db } = options as Readonly<Record<string, unknown>>
  if (typeof db === 'number') return String(db)
  const given = connectionString ?? url
  if (typeof given !== 'string') return undefined
  return /^(?:postgres(?:ql)?|rediss?):\/\/(?:[^@]*@)?[^/?#@]*\/([\w$-]{1,63})(?:[?#][^@]*)?$/.exec(given)?.[1]
}
