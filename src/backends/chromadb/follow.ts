import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { isLive, keyOf, latestOf, revisionOf } from '../vector/follow.js'
import type { Entry, FollowWrite, Point } from '../vector/store.js'
import { toPoint } from './metadata.js'
import { chunks, get, type Tenant } from './tenant.js'
import { inTurn, metadataOf, mostOf, removeKeys, send, toRow } from './write.js'

/**
 * Tells of records as they are now, for the one process that may: what is there is looked at before, because the engine
 * compares nothing itself.
 */
export async function followPoints(tenant: Tenant, kind: SearchKind, writes: readonly FollowWrite[]): Promise<void> {
  const latest = latestOf(writes)
  const keys = latest.map(keyOf)
  await inTurn(tenant, kind, keys, async () => {
    const there = await metadataOf(tenant, kind, keys)
    const due = latest.filter((write) => Number(there.get(keyOf(write))?.revision ?? 0) <= revisionOf(write))
    function* rows() {
      for (const write of due) if (isLive(write)) yield toRow(tenant, write, there.get(keyOf(write)) ?? null)
    }
    await send(tenant, kind, '/upsert', rows())
    const gone = due.filter((write) => !isLive(write)).map(keyOf)
    const stored = gone.filter((key) => there.has(key))
    await removeKeys(tenant, kind, stored)
  })
}

/**
 * Everything of a tenant. The keys of a kind are read first, all together, 36 bytes each: pages by number would shift
 * under writes, and the engine has no other.
 */
export async function* entriesOf(tenant: Tenant): AsyncGenerator<Entry[]> {
  for (const kind of SEARCH_KINDS) {
    const { ids: keys } = await get(tenant, kind, { include: [] })
    for (const ids of chunks(keys, mostOf(tenant))) {
      const found = await get(tenant, kind, { ids, include: ['metadatas'] })
      const entries = found.ids.map((key, i) => toEntry(tenant.tenantId, kind, toPoint(key, found.metadatas?.[i], '')))
      if (entries.length > 0) yield entries
    }
  }
}

function toEntry(tenantId: string, kind: SearchKind, { key, revision, rest, fields }: Point): Entry {
  const scope = (kind === 'message' ? fields.conversation : fields.namespace) ?? ''
  return { tenantId, kind, key, revision, id: fields.id, scope, rest }
}
