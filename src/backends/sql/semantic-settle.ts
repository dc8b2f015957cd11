import type {
  FollowedRecord,
  FollowedState,
  FollowerSettling,
  OutboxEntry,
  SemanticTarget,
} from '../../contract/follow.js'
import type { SettleReport } from '../../contract/statistics.js'
import { decodeVector } from '../../embeddings/vector.js'
import { BrunoMemoryError, ConfigurationError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { FollowerLease } from './follower-lease.js'
import { Outbox } from './outbox.js'
import { embeddedText, hashOf, type ToMake, type Tried, VectorMaker } from './vector-making.js'
import { vectorStatements } from './vector-statements.js'
import { writeVectors } from './vector-writing.js'
import type { OpenSpace, VectorRow } from './vectors.js'

/** Records taken in one go: they are in memory together. */
const BATCH = 256
/** Milliseconds until others go on in the place of a process that was killed; one that works renews what it has. */
const LEASE = 3000
/** Refusals of so many records at once are the store's fault, not theirs. */
const SUSPICIOUS = 8
/** Milliseconds between two looks for what may be forgotten. */
const FORGET = 600_000

/** An entry with what its record is now. */
interface Work {
  readonly entry: OutboxEntry
  readonly state: FollowedState
}

/** A record whose vector is still to be made. */
interface Unmade extends ToMake {
  readonly entry: OutboxEntry
  readonly record: Omit<FollowedRecord, 'vector' | 'hash'>
}

const refuses = (error: unknown): error is BrunoMemoryError =>
  error instanceof BrunoMemoryError && !error.retryable && !(error instanceof ConfigurationError)

const keyOf = (tenantId: string, scope: string, id: string): string => JSON.stringify([tenantId, scope, id])

/**
 * Keeps a semantic store up with the records: what is written there is their current state, never a change as it was.
 * Vectors are made here, outside of any transaction, and kept in the primary first.
 */
export class SemanticSettler implements FollowerSettling {
  readonly #outbox: Outbox
  readonly #lease: FollowerLease | null
  #forgotten = 0

  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly target: SemanticTarget,
    { follower, owner }: { readonly follower: string; readonly owner: string },
  ) {
    const alone = !target.sideBySide
    this.#outbox = new Outbox(store, runner, { follower, owner, batch: BATCH, lease: LEASE, alone })
    // A request of the one before is over by then.
    const time = Math.max(LEASE, 2.5 * target.callTimeout)
    this.#lease = alone ? new FollowerLease(store, runner, { follower, owner, time }) : null
  }

  /** One batch; answers how many records it dealt with. */
  async pass(): Promise<number> {
    await this.target.attend?.()
    if (this.#lease && !(await this.#lease.take())) return 0
    const began = this.store.clock()
    const entries = await this.#outbox.claim()
    if (entries.length === 0) {
      await this.#forget(began)
      return 0
    }
    const beat = setInterval(() => void this.#renew().catch(() => undefined), LEASE / 3)
    try {
      await this.#work(entries)
      return entries.length
    } catch (error) {
      await this.#outbox.release()
      throw error
    } finally {
      clearInterval(beat)
    }
  }

  async #renew(): Promise<void> {
    await this.#outbox.renew()
    await this.#lease?.take()
  }

  /** Whether a write may be begun: where the store decides itself between two, a late one does no harm. */
  get #holds(): boolean {
    return this.#lease?.holdsFor(this.target.callTimeout) ?? true
  }

  async #work(entries: readonly OutboxEntry[]): Promise<void> {
    const { embedder } = this.store.vectors
    const maker = embedder ? new VectorMaker(this.store, this.runner, embedder) : null
    const space = this.store.vectors.space ?? (await maker?.space()) ?? null
    const { ready, unmade } = await this.#read(space, entries, maker !== null)
    if (!maker || !space) return this.#bring(ready)
    const { known, rest } = await maker.known(space, unmade)
    // What needs no model does not wait for one, nor for one that fails.
    await this.#bring([...ready, ...(await this.#keep(space, known))])
    if (rest.length === 0) return
    const made = await maker.make(rest)
    await this.#bring(await this.#keep(space, made))
  }

  async #read(space: OpenSpace | null, entries: readonly OutboxEntry[], making: boolean) {
    const ready: Work[] = []
    const unmade: Unmade[] = []
    for (const kind of new Set(entries.map((entry) => entry.kind as SearchKind))) {
      const ofKind = entries.filter((entry) => entry.kind === kind)
      const found = await this.#states(kind, space, ofKind)
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

  async #states(kind: SearchKind, space: OpenSpace | null, entries: readonly OutboxEntry[]) {
    const { engine } = this.store
    const keys = engine.conditions.encodeRows(entries.map((e) => [e.tenantId, e.scope, e.recordId]))
    const rows = await this.#look(async (session) =>
      session.all(vectorStatements(engine)[kind].states, { keys, space: space?.id ?? '' }),
    )
    return new Map(
      (rows as unknown as StateRow[]).map((row) => [
        keyOf(row.tenantId, row.followedScope, row.id),
        stateOf(kind, row, space),
      ]),
    )
  }

  get #look(): SqlRunner['read'] {
    return this.runner.current ?? this.runner.read
  }

  /** Stores vectors with the records that are still what they were made of; the others are due again. */
  async #keep(space: OpenSpace, tried: readonly Tried<Unmade>[]): Promise<Work[]> {
    const made: (Unmade & { readonly vector: Float32Array })[] = []
    for (const each of tried) {
      const { vector } = each
      if (vector instanceof BrunoMemoryError)
        await this.runner.write((session) => this.#outbox.failed(session, each.entry, vector.code))
      else made.push({ ...each, vector })
    }
    if (made.length === 0) return []
    const kept = await this.runner.write((session) => this.#store(session, space, made))
    return made.flatMap((each) => {
      const { entry, record, vector, hash } = each
      return kept.has(each) ? [{ entry, state: { ...record, vector, hash } }] : []
    })
  }

  async #store<T extends Unmade & { readonly vector: Float32Array }>(
    session: Parameters<Parameters<SqlRunner['write']>[0]>[0],
    space: OpenSpace,
    made: readonly T[],
  ): Promise<ReadonlySet<T>> {
    const { engine } = this.store
    const held = new Set<T>()
    for (const kind of new Set(made.map(({ record }) => record.kind))) {
      const byKey = new Map(
        made
          .filter(({ record }) => record.kind === kind)
          .map((each) => [keyOf(each.tenantId, each.record.scope, each.record.id), each]),
      )
      const seen = [...byKey.values()].map(({ record: r }) => [r.tenantId, r.scope, r.id, r.revision])
      const rows = await session.all(vectorStatements(engine)[kind].hold, { keys: engine.conditions.encodeRows(seen) })
      for (const row of rows) {
        const each = byKey.get(keyOf(row.tenantId, row.scope, row.recordId))
        if (each) held.add(each)
      }
    }
    const vectors = [...held].map(({ record, vector, hash }): VectorRow => {
      const { kind, tenantId, scope, id } = record
      return { kind, tenantId, scope, recordId: id, vector, hash }
    })
    await writeVectors(this.store, session, space.id, vectors)
    return held
  }

  /** The batch at once; where it is refused, in halves, so that a record that the store cannot take stops no other. */
  async #bring(works: readonly Work[]): Promise<void> {
    if (works.length === 0) return
    const refused = await this.#tried(works)
    const [first] = refused
    if (first && refused.length === works.length && works.length >= SUSPICIOUS) throw first.error
    for (const { entry, error } of refused)
      await this.runner.write((session) => this.#outbox.failed(session, entry, error.code))
  }

  async #tried(works: readonly Work[]): Promise<{ readonly entry: OutboxEntry; readonly error: BrunoMemoryError }[]> {
    if (!this.#holds) return []
    try {
      await this.target.bring(works.map(({ state }) => state))
    } catch (error) {
      if (!refuses(error)) throw error
      if (works.length === 1) return works.map(({ entry }) => ({ entry, error }))
      const half = works.length >> 1
      return [...(await this.#tried(works.slice(0, half))), ...(await this.#tried(works.slice(half)))]
    }
    await this.#outbox.finish(works.map(({ entry }) => entry))
    return []
  }

  async #forget(now: number): Promise<void> {
    if (now - this.#forgotten < FORGET) return
    this.#forgotten = now
    // Whatever was on its way when a record was deleted has arrived by then, or was given up.
    await this.target.forget(now - FORGET)
  }

  report(): Promise<SettleReport> {
    return this.#outbox.report()
  }

  async release(): Promise<void> {
    await this.#lease?.leave()
  }
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
