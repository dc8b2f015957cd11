import type { Carried } from '../../contract/transfer.js'
import type { SearchKind } from '../../model/records.js'
import type { SqlSession } from './engine.js'
import { LAYOUTS, SCOPE } from './transfer-layout.js'
import type { BulkVector, SqlTargetParts } from './transfer-parts.js'
import { writeVectors } from './vector-writing.js'

/** Stores the vectors of records that are new. */
export async function storeVectors(
  { store, loader }: SqlTargetParts,
  session: SqlSession,
  records: readonly Carried[],
  bulk: boolean,
): Promise<void> {
  const { space } = store.vectors
  if (!space) return
  const vectors = records.flatMap((carried) => vectorOf(carried, space.id))
  if (vectors.length === 0) return
  if (bulk && loader.loadVectors) return loader.loadVectors(session, vectors)
  const rows = vectors.map(({ kind, hash, ...row }) => ({ ...row, kind: kind as SearchKind, hash: Buffer.from(hash) }))
  await writeVectors(store, session, space.id, rows)
}

function vectorOf({ kind, record, vector, row, holder }: Carried, space: string): BulkVector[] {
  const scope = SCOPE[kind]
  if (!vector || scope === undefined) return []
  const values = record as unknown as Readonly<Record<string, unknown>>
  const seq = row?.[LAYOUTS[kind].at('seq')]
  return [
    {
      tenantId: record.tenantId,
      space,
      kind,
      scope: scope === null ? '' : String(values[scope]),
      recordId: record.id,
      userId: kind === 'memory' ? String(values.userId) : (holder ?? null),
      recordSeq: typeof seq === 'number' ? seq : 0,
      vector: vector.vector,
      hash: vector.hash,
    },
  ]
}
