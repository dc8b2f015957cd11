import type { Statistics } from '../../contract/statistics.js'
import { checkNames } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import { MEMORY_TYPES } from '../../model/records.js'
import type { VectorContext } from './context.js'
import type { Condition } from './store.js'

/** Exact counts. What this memory does not keep counts 0, as `capabilities` say. */
export function vectorStatistics(
  context: VectorContext,
): (options: { readonly userId?: string | undefined }) => Promise<Statistics> {
  const { points, clock } = context
  return async (options) => {
    checkNames(options, ['userId'])
    const { userId } = options
    if (userId !== undefined) checkId(userId, 'userId')
    const user: Condition[] = userId === undefined ? [] : [{ field: 'user', in: [userId] }]
    const alive = { alive: clock() }
    const [messages, documents, ...types] = await Promise.all([
      points.count('message', user),
      userId === undefined ? points.count('document', [alive]) : null,
      ...MEMORY_TYPES.map((type) => points.count('memory', [...user, { field: 'type', in: [type] }, alive])),
    ])
    const counted = MEMORY_TYPES.flatMap((type, i) => (types[i] ? [[type, types[i]] as const] : []))
    return {
      users: 0,
      conversations: 0,
      messages,
      sessions: 0,
      activeSessions: 0,
      memories: counted.reduce((sum, [, count]) => sum + count, 0),
      memoriesByType: Object.fromEntries(counted),
      documents,
    }
  }
}
