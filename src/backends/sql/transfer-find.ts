import type { ChangedKey } from '../../contract/online.js'
import type { Carried } from '../../contract/transfer.js'
import { RECORD_KINDS, type RecordKind } from '../../model/records.js'

type Key = readonly string[]
type Find = (kind: RecordKind, keys: readonly Key[]) => Promise<readonly Carried[]>

/** The key of a record as its table has it. */
export const tableKey = ({ tenantId, scope, recordId }: Omit<ChangedKey, 'kind'>, scoped: boolean): string[] =>
  scoped ? [tenantId, scope, recordId] : [tenantId, recordId]

/** Kinds whose keys have a scope. */
export const SCOPED: ReadonlySet<string> = new Set(['message', 'document'])
/** The kinds that others name are looked up after those. */
const ORDER: readonly RecordKind[] = ['message', 'memory', 'session', 'document', 'conversation', 'user']

class Wanted {
  readonly #keys = new Map<string, Key>()
  add(key: Key): void {
    this.#keys.set(JSON.stringify(key), key)
  }
  get keys(): Key[] {
    return [...this.#keys.values()]
  }
}

/** Records by their keys, and the users and conversations that they name; these first. */
export async function withParents(keys: readonly ChangedKey[], find: Find): Promise<readonly Carried[]> {
  const wanted = new Map<string, Wanted>(ORDER.map((kind) => [kind, new Wanted()]))
  for (const key of keys) wanted.get(key.kind)?.add(tableKey(key, SCOPED.has(key.kind)))
  const found = new Map<RecordKind, readonly Carried[]>()
  for (const kind of ORDER) {
    const records = await find(kind, (wanted.get(kind) as Wanted).keys)
    found.set(kind, records)
    for (const { record } of records) {
      if ('role' in record) wanted.get('conversation')?.add([record.tenantId, record.conversationId])
      if ('userId' in record) wanted.get('user')?.add([record.tenantId, record.userId])
    }
  }
  return RECORD_KINDS.flatMap((kind) => found.get(kind) ?? [])
}
