import { type ArchiveItem, type ReadOptions, readArchive } from '../archive/read.js'
import type { ArchiveEntry } from '../archive/record.js'
import type { ImportItem, Place } from './types.js'

export interface ArchiveImportOptions extends ReadOptions {
  readonly file: string
  /** Where all records go; default: the tenants that the archive names. */
  readonly tenant?: string | undefined
  /** Records that have expired by then are skipped: a store answers them no more. */
  readonly now: Date
}

/**
 * The records of an archive. Ids, times and content are kept. Through the public API a store gives positions and
 * versions anew, so these, `updatedAt` of conversations and the time at which a session ended are not carried.
 */
export async function* readArchiveItems(
  chunks: AsyncIterable<Buffer>,
  options: ArchiveImportOptions,
): AsyncGenerator<ImportItem[]> {
  const expired = new Set<string>()
  for await (const item of readArchive(chunks, options)) yield [itemOf(item, expired, options)]
}

function itemOf(item: ArchiveItem, expired: Set<string>, options: ArchiveImportOptions): ImportItem {
  const place = { file: options.file, line: item.line }
  if ('refused' in item) {
    const { field, problem } = item.refused
    // What kind it would have been is not known; messages are what an archive mostly holds.
    return { kind: 'message', outcome: 'refused', field, reason: problem, place }
  }
  const { entry } = item
  const at: Place = { ...place, id: entry.record.id }
  const tenant = options.tenant ?? entry.record.tenantId
  if (isExpired(entry, expired, options.now))
    return { kind: entry.kind, outcome: 'skipped', field: 'expiresAt', reason: 'expired', place: at }
  return { tenant, place: at, size: item.bytes, ...inputOf(entry) } as ImportItem
}

function isExpired({ kind, record }: ArchiveEntry, expired: Set<string>, now: Date): boolean {
  const conversation = (id: string) => JSON.stringify([record.tenantId, id])
  if (kind === 'message') return expired.has(conversation(record.conversationId))
  if (kind === 'user' || record.expiresAt === null || record.expiresAt > now) return false
  if (kind === 'conversation') expired.add(conversation(record.id))
  return true
}

function inputOf(entry: ArchiveEntry): object {
  switch (entry.kind) {
    case 'user': {
      const { tenantId: _, version: __, ...input } = entry.record
      return { kind: 'user', input }
    }
    case 'conversation': {
      const { tenantId: _, version: __, messageCount: ___, lastPosition: ____, ...input } = entry.record
      return { kind: 'conversation', input }
    }
    case 'message': {
      const { tenantId: _, version: __, position: ___, conversationId, ...input } = entry.record
      return { kind: 'message', conversationId, input }
    }
    case 'session': {
      const { tenantId: _, version: __, lastActivityAt: ___, endedAt, ...input } = entry.record
      return { kind: 'session', input, ended: endedAt !== null }
    }
    case 'memory': {
      const { tenantId: _, version: __, ...input } = entry.record
      return { kind: 'memory', input }
    }
    case 'document': {
      const { tenantId: _, version: __, ...input } = entry.record
      return { kind: 'document', input }
    }
  }
}
