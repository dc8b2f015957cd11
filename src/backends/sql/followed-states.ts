import type { FollowedRecord, FollowedState, OutboxEntry } from '../../contract/follow.js'
import { decodeVector } from '../../embeddings/vector.js'
import type { SearchKind } from '../../model/records.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { embeddedText, hashOf, type ToMake } from './vector-making.js'
import { vectorStatements } from './vector-statements.js'
import type { OpenSpace } from './vectors.js'

/** An entry with what its record is now. */
export interface Work {
  readonly entry: OutboxEntry
  readonly state: FollowedState
}

/** A record whose vector is still to be made. */
export interface Unmade extends ToMake {
  readonly entry: OutboxEntry
  readonly record: Omit<FollowedRecord, 'vector' | 'hash'>
}

export const keyOf = (tenantId: string, scope: string, id: string): string => JSON.stringify([tenantId, scope, id])

/** What the records of some entries are now; those that need a vector first where one can be made. */
export async function readStates(
  store: SqlStoreContext,
  runner: SqlRunner,
  entries: readonly OutboxEntry[],
  { space, making }: { readonly space: OpenSpace | null; readonly making: boolean },
): Promise<{ readonly ready: Work[]; readonly unmade: Unmade[] }> {
  const ready: Work[] = []
  const unmade: Unmade[] = []
  for (const kind of new Set(entries.map((entry) => entry.kind as SearchKind))) {
    const ofKind = entries.filter((entry) => entry.kind === kind)
    const found = await statesOf(store, runner, kind, space, ofKind)
    for (const entry of ofKind) {
      const { tenantId, scope, recordId: id } = entry
      const state = found.get(keyOf(tenantId, scope, id))
      const gone = { kind, tenantId, scope, id, vector: null } as const
      if (!state) ready.push({ entry, state: { ...gone, revision: entry.revision } })
      else if ('record' in state) ready.push({ entry, state })
      else if (state.made && making) unmade.push({ entry, tenantId, ...state.made })
      else ready.push({ entry, state: { ...gone, revision: Math.max(entry.revision, state.revision) } })
    }
  }
  return { ready, unmade }
}

async function statesOf(
  { engine }: SqlStoreContext,
  runner: SqlRunner,
  kind: SearchKind,
  space: OpenSpace | null,
  entries: readonly OutboxEntry[],
) {
  const keys = engine.conditions.encodeRows(entries.map((e) => [e.tenantId, e.scope, e.recordId]))
  const look = runner.current ?? runner.read
  const rows = await look(async (session) =>
    session.all(vectorStatements(engine)[kind].states, { keys, space: space?.id ?? '' }),
  )
  return new Map(
    (rows as unknown as StateRow[]).map((row) => [
      keyOf(row.tenantId, row.followedScope, row.id),
      stateOf(kind, row, space),
    ]),
  )
}

type StateRow = Record<string, unknown> & {
  readonly tenantId: string
  readonly id: string
  readonly name?: string | null
  readonly content: string
  readonly followedScope: string
  readonly holder: string | null
  readonly draft: number
  readonly seq: number
  readonly revision: number
  readonly hash: Buffer | null
  readonly vector: Buffer | null
}

/** A record with its vector; one without says what its vector is to be made of, if anything. */
type ReadState =
  | FollowedRecord
  | { readonly revision: number; readonly made: Omit<Unmade, 'entry' | 'tenantId'> | null }

function stateOf(kind: SearchKind, row: StateRow, space: OpenSpace | null): ReadState {
  const { followedScope: scope, holder, draft, seq, revision, hash, vector, ...record } = row
  const { tenantId, id } = row
  const known = {
    kind,
    tenantId,
    scope,
    id,
    seq,
    revision,
    holder,
    record: record as unknown as FollowedRecord['record'],
  }
  const none = draft === 1 || row.content.trim() === ''
  const text = embeddedText({ name: kind === 'message' ? (row.name ?? null) : null, content: row.content })
  // A vector that came with its record needs no text.
  if (hash && vector && space && vector.length === space.dimensions * 4) {
    const own = hash.length === 0
    if (own || (!none && hash.equals(hashOf(text)))) return { ...known, vector: decodeVector(vector), hash }
  }
  return { revision, made: none ? null : { text, hash: hashOf(text), record: known } }
}
