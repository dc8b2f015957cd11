import type { Carried } from '../contract/transfer.js'
import type { RecordKey } from '../contract/transfer-plan.js'

/** What names a record. */
export function keyOf({ kind, record }: Carried): RecordKey {
  const values = record as unknown as Readonly<Record<string, unknown>>
  const scope = kind === 'message' ? values.conversationId : kind === 'document' ? values.namespace : ''
  return { kind, tenantId: record.tenantId, scope: String(scope), id: record.id }
}

/** The same as one text; no part of a key contains NUL. */
export const keyText = ({ tenantId, scope, id }: RecordKey): string => `${tenantId}\0${scope}\0${id}`
