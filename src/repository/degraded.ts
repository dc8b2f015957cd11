const degraded = new WeakSet<object>()

/**
 * Whether a page, an array or a record was answered while the first backend of a chain was away: it may lack what only
 * that one has, and the positions in it are provisional.
 */
export const isDegraded = (answer: object): boolean => degraded.has(answer)

/** Marks what a repository answered: the page or array, and the records in it. */
export function markDegraded<T>(answer: T): T {
  if (typeof answer !== 'object' || answer === null) return answer
  degraded.add(answer)
  const { items, record } = answer as { items?: unknown; record?: unknown }
  if (Array.isArray(answer)) for (const each of answer) markDegraded(each)
  else if (Array.isArray(items)) markDegraded(items)
  else if (typeof record === 'object' && record !== null) degraded.add(record)
  return answer
}
