import type { BackendScope, UnitScope } from '../../contract/backend.js'
import type { VectorContext } from './context.js'
import { vectorDocuments } from './documents.js'
import { vectorMemories } from './memories.js'
import { vectorMessages } from './messages.js'
import { Overlay } from './overlay.js'
import { purge } from './purge.js'
import { vectorSearch } from './search.js'
import { vectorStatistics } from './statistics.js'

const repositories = (context: VectorContext) => ({
  messages: vectorMessages(context),
  memories: vectorMemories(context),
  documents: vectorDocuments(context),
  search: vectorSearch(context),
  statistics: vectorStatistics(context),
})

/** One tenant, each verb by itself. */
export const vectorScope = (context: VectorContext): BackendScope => ({
  ...repositories(context),
  purgeExpired: (options) => purge(context, options),
})

/** Runs some work over a tenant's points, and writes what it made of them when it has succeeded. */
export async function inUnit<T>(context: VectorContext, work: (scope: UnitScope) => Promise<T>): Promise<T> {
  const points = new Overlay(context.points, context.space)
  const over = { ...context, points, reranker: null }
  const result = await work({ ...repositories(over), savepoint: (inner) => inUnit(over, inner) })
  await points.commit()
  return result
}
