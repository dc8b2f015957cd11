import type { PurgeOptions, PurgeReport } from '../../contract/statistics.js'
import { batchSize } from '../../repository/purge-options.js'
import type { VectorContext } from './context.js'
import type { PageQuery } from './store.js'

const QUERIES = [
  { kind: 'memory', counter: 'memories', order: ['importance', 'created'] },
  { kind: 'document', counter: 'documents', order: [] },
] as const

export const nothingPurged = (): PurgeReport => ({
  conversations: 0,
  messages: 0,
  sessions: 0,
  memories: 0,
  documents: 0,
  operations: 0,
})

/** Removes what has expired in one tenant, in batches. Messages do not expire here: their conversations are elsewhere. */
export async function purge(
  { points, clock }: Pick<VectorContext, 'points' | 'clock'>,
  options: PurgeOptions,
): Promise<PurgeReport> {
  const limit = batchSize(options)
  const report = { ...nothingPurged() }
  const expired = { expired: clock() } as const
  for (const { kind, counter, order } of QUERIES) {
    const query: PageQuery = { kind, where: [expired], order, descending: false, after: null, limit }
    for (;;) {
      const page = await points.page(query)
      if (page.length === 0) break
      // One that was given another end since it was read stays.
      await points.remove(
        kind,
        page.map(({ key }) => key),
        [expired],
      )
      report[counter] += page.length
    }
  }
  return report
}
