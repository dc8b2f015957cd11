import type { SearchQuery } from '../contract/search.js'
import { ValidationError } from '../errors.js'
import { checkFlag } from '../model/page-options.js'

/** Whether a search waits for what was written before it, and the search itself. */
export function freshness(given: SearchQuery) {
  if (typeof given !== 'object' || given === null) return { query: given, fresh: false, deadline: undefined }
  const { fresh: wanted, deadline, ...query } = given
  const fresh = checkFlag(wanted, 'fresh')
  if (deadline !== undefined) {
    if (!(Number.isInteger(deadline) && deadline >= 1 && deadline < 2 ** 31))
      throw new ValidationError('deadline', 'must be a number of milliseconds of at least 1')
    if (!fresh) throw new ValidationError('deadline', 'is of a search with fresh: true')
  }
  return { query: query as SearchQuery, fresh, deadline }
}
