import type { ChangedKey } from '../../contract/online.js'
import type { Carried } from '../../contract/transfer.js'

/** A record's key as one text. */
export function keyOf(
  of: Pick<ChangedKey, 'kind' | 'tenantId' | 'scope' | 'recordId'> | Pick<Carried, 'kind' | 'record'>,
): string {
  if (!('record' in of)) return JSON.stringify([of.kind, of.tenantId, of.scope, of.recordId])
  const { kind, record } = of
  const scope = 'role' in record ? record.conversationId : 'namespace' in record ? record.namespace : ''
  return JSON.stringify([kind, record.tenantId, scope, record.id])
}
