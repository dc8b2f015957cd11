import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import type { Entry, FollowWrite } from '../vector/store.js'
import { toPoint } from './metadata.js'
import { chunks, get, onCollection, type Tenant } from './tenant.js'
import { inTurn, metadataOf, send, toRow } from './write.js'

/** Records of one request. */
const PAGE = 500

const keyOf = (write: FollowWrite): string => ('point' in write ? write.point.key : write.gone.key)

/**
 * Tells of records as they are now, for the one process that may: what is there is looked at before, because the engine
 * compares nothing itself.
 */
export const followPoints = (tenant: Tenant, kind: SearchKind, writes: readonly FollowWrite[]): Promise<void> =>
  inTurn(tenant, kind, writes.map(keyOf), async () => {
    const there = await metadataOf(tenant, kind, writes.map(keyOf))
    const due = writes.filter((write) => {
      const revision = Number(there.get(keyOf(write))?.revision ?? 0)
      return revision <= ('point' in write ? write.point.revision : write.gone.revision)
    })
    const rows = due.flatMap((write) =>
      'point' in write ? [toRow(tenant, { ...write, guard: null }, there.get(write.point.key) ?? null)] : [],
    )
    await send(tenant, kind, '/upsert', rows)
    const gone = due.flatMap((write) => ('gone' in write && there.has(write.gone.key) ? [write.gone.key] : []))
    for (const ids of chunks(gone, PAGE)) await onCollection(tenant, kind, '/delete', { body: { ids }, writes: true })
  })

/** Everything of a tenant. The keys of a kind are read first, 36 bytes each: pages by number would shift under writes. */
export async function* entriesOf(tenant: Tenant): AsyncGenerator<Entry[]> {
  for (const kind of SEARCH_KINDS) {
    const { ids: keys } = await get(tenant, kind, { include: [] })
    for (const ids of chunks(keys, PAGE)) {
      const found = await get(tenant, kind, { ids, include: ['metadatas'] })
      const entries = found.ids.map((key, i) => toEntry(tenant.tenantId, kind, toPoint(key, found.metadatas?.[i], '')))
      if (entries.length > 0) yield entries
    }
  }
}

function toEntry(
  tenantId: string,
  kind: SearchKind,
  { key, revision, rest, fields }: ReturnType<typeof toPoint>,
): Entry {
  const scope = (kind === 'message' ? fields.conversation : fields.namespace) ?? ''
  return { tenantId, kind, key, revision, id: fields.id, scope, rest }
}
