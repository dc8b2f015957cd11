import { encodeVector } from '../../embeddings/vector.js'
import type { SearchKind } from '../../model/records.js'
import type { BulkVector } from '../sql/transfer-parts.js'
import { partOf } from '../sql/vectors.js'
import type { CopyingSession } from './transfer-client.js'
import { copyRows } from './transfer-copy.js'

/** Vectors of a bulk load, whose rows bring their `seq`. */
export async function loadVectors(session: CopyingSession, rows: readonly BulkVector[]): Promise<void> {
  const now = Date.parse(
    String(
      (await session.query(`select to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`)).rows[0]?.[0],
    ),
  )
  await copyRows(
    session,
    {
      table: 'bruno_embeddings',
      columns: [
        'tenant_id',
        'space',
        'kind',
        'scope',
        'record_id',
        'user_id',
        'record_seq',
        'part',
        'content_hash',
        'vector',
        'created_at',
        'updated_at',
        'version',
        'revision',
      ],
      kinds: [
        'key',
        'key',
        'text',
        'key',
        'key',
        'key',
        'integer',
        'integer',
        'bytes',
        'bytes',
        'instant',
        'instant',
        'integer',
        'integer',
      ],
    },
    rows.map((row) => [
      row.tenantId,
      row.space,
      row.kind,
      row.scope,
      row.recordId,
      row.userId,
      row.recordSeq,
      partOf(row.tenantId, row.space, row.kind as SearchKind),
      Buffer.from(row.hash),
      encodeVector(row.vector),
      now,
      now,
      1,
      0,
    ]),
  )
}
