import type { FollowerSettling, OutboxEntry, SemanticTarget } from '../../contract/follow.js'
import type { SettleReport } from '../../contract/statistics.js'
import { BrunoMemoryError, ConfigurationError } from '../../errors.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { keyOf, readStates, type Unmade, type Work } from './followed-states.js'
import { FollowerLease } from './follower-lease.js'
import { Outbox } from './outbox.js'
import { type Tried, VectorMaker } from './vector-making.js'
import { vectorStatements } from './vector-statements.js'
import { writeVectors } from './vector-writing.js'
import type { OpenSpace, VectorRow } from './vectors.js'

/** Records taken in one go: they are in memory together, and a model's work at them is lost with their process. */
const BATCH = 375
/** The same where nothing is made, and what was read last was short. */
const LARGE_BATCH = 1000
/** Characters that a large batch may have. */
const SHORT = 2_000_000
/** Milliseconds until others go on in the place of a process that was killed; one that works renews what it has. */
const LEASE = 3000
/** Refusals of so many records at once are the store's fault, not theirs. */
const SUSPICIOUS = 8
/** Milliseconds between two looks for what may be forgotten. */
const FORGET = 600_000

/** A batch that was taken and read: what can be told at once, and what is waited for. */
interface Batch {
  readonly entries: readonly OutboxEntry[]
  readonly space: OpenSpace | null
  readonly ready: readonly Work[]
  /** Vectors that are kept already, of the same texts. */
  readonly known: readonly Tried<Unmade>[]
  /** What a model makes; null where none is asked. */
  readonly made: Promise<readonly Tried<Unmade>[]> | null
  /** There were as many as were asked for: behind it is more. */
  readonly full: boolean
}

/** Of a large batch that is like this one. */
const charactersOf = (ready: readonly Work[]): number =>
  ready.reduce((sum, { state }) => sum + (state.vector ? state.record.content.length : 0), 0) *
  (LARGE_BATCH / Math.max(1, ready.length))

const refuses = (error: unknown): error is BrunoMemoryError =>
  error instanceof BrunoMemoryError && !error.retryable && !(error instanceof ConfigurationError)

/**
 * Keeps a semantic store up with the records: what is written there is their current state, never a change as it was.
 * Vectors are made here, outside of any transaction, and kept in the primary first.
 */
export class SemanticSettler implements FollowerSettling {
  readonly #outbox: Outbox
  readonly #lease: FollowerLease | null
  #forgotten = 0
  #size = BATCH
  #ahead: Promise<Batch | null> | null = null
  #ending: Promise<void> | null = null
  /** What was taken is nobody else's until then. */
  #held = 0
  /** Records that were told, and how many they were when the planner last had a look. */
  #told = 0
  #analyzed = 250

  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly target: SemanticTarget,
    { follower, owner }: { readonly follower: string; readonly owner: string },
  ) {
    const alone = !target.sideBySide
    this.#outbox = new Outbox(store, runner, { follower, owner, lease: LEASE, alone })
    // A request of the one before is over by then.
    const time = Math.max(LEASE, 2.5 * target.callTimeout)
    this.#lease = alone ? new FollowerLease(store, runner, { follower, owner, time }) : null
  }

  /** One batch; answers how many records it dealt with. */
  async pass(): Promise<number> {
    await this.target.attend?.()
    if (this.#lease && !(await this.#lease.take())) return 0
    const began = this.store.clock()
    const beat = setInterval(() => void this.#renew().catch(() => undefined), LEASE / 3)
    try {
      const batch = (await this.#taken()) ?? (await this.#next())
      if (!batch) await this.#forget(began)
      else {
        await this.#work(batch)
        await this.#grown(batch)
      }
      if (!this.#ahead) await this.#ended()
      return batch?.entries.length ?? 0
    } catch (error) {
      await this.#leave()
      throw error
    } finally {
      clearInterval(beat)
    }
  }

  /** The batch that was read while the store worked at the one before; null where there is none, or others may have it. */
  async #taken(): Promise<Batch | null> {
    const ahead = this.#ahead
    this.#ahead = null
    const batch = await ahead
    if (!batch || this.store.clock() < this.#held) return batch
    await this.#ended()
    await this.#outbox.release()
    return null
  }

  /** What is not ended yet is this owner's, and would be taken once more. */
  async #next(): Promise<Batch | null> {
    await this.#ended()
    return this.#take()
  }

  /** @param after The model's work at the batch before: it does one after the other. */
  async #take(ahead = false, after: Promise<unknown> | null = null): Promise<Batch | null> {
    const until = this.store.clock() + LEASE / 2
    const size = this.#size
    const entries = await this.#outbox.claim(size, ahead)
    this.#held = until
    if (entries.length === 0) return null
    const { embedder } = this.store.vectors
    const maker = embedder ? new VectorMaker(this.store, this.runner, embedder) : null
    const space = this.store.vectors.space ?? (await maker?.space()) ?? null
    const making = maker !== null && space !== null
    const { ready, unmade } = await readStates(this.store, this.runner, entries, { space, making: maker !== null })
    const { known, rest } = making ? await maker.known(space, unmade) : { known: [], rest: [] }
    const make = async () => {
      await after
      return maker?.make(rest) ?? []
    }
    const made = making && rest.length > 0 ? make() : null
    // Whoever takes the batch hears of it.
    made?.catch(() => undefined)
    this.#size = made || this.#lease || charactersOf(ready) > SHORT ? BATCH : LARGE_BATCH
    return { entries, space, ready, known, made, full: entries.length >= size }
  }

  /** While the store works, the next one is read and its vectors are made: told are they one after the other. */
  #readAhead({ full, made }: Batch): void {
    if (!full || this.#ahead) return
    this.#ahead = this.#take(true, made)
    this.#ahead.catch(() => undefined)
  }

  /** Leaves everything that was taken to others. */
  async #leave(): Promise<void> {
    const ahead = this.#ahead
    this.#ahead = null
    const batch = await ahead?.catch(() => null)
    await batch?.made?.catch(() => undefined)
    await this.#ended().catch(() => undefined)
    await this.#outbox.release()
  }

  async #renew(): Promise<void> {
    const until = this.store.clock() + LEASE / 2
    await this.#outbox.renew()
    this.#held = until
    await this.#lease?.take()
  }

  /** Whether a write may be begun: where the store decides itself between two, a late one does no harm. */
  get #holds(): boolean {
    return this.#lease?.holdsFor(this.target.callTimeout) ?? true
  }

  async #work(batch: Batch): Promise<void> {
    const { space, ready, known, made } = batch
    this.#readAhead(batch)
    // What needs no model does not wait for one, nor for one that fails.
    await this.#bring(space ? [...ready, ...(await this.#keep(space, known))] : ready)
    if (!space || !made) return
    await this.#bring(await this.#keep(space, await made))
  }

  /** A planner that knows a table as it was when it was empty reads all of it for each row. */
  async #grown({ entries }: Batch): Promise<void> {
    this.#told += entries.length
    if (this.#told < this.#analyzed * 4) return
    const least = this.#told
    this.#analyzed = least
    const { analyze } = this.store.engine
    if (analyze) await this.runner.write(async (session) => analyze(session, least)).catch(() => undefined)
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
    await this.#end(works.map(({ entry }) => entry))
    return []
  }

  /** Ends entries while the next ones are told. */
  async #end(entries: readonly OutboxEntry[]): Promise<void> {
    await this.#ended()
    this.#ending = this.#outbox.finish(entries)
    // Whoever waits for it hears of it.
    this.#ending.catch(() => undefined)
  }

  async #ended(): Promise<void> {
    const ending = this.#ending
    this.#ending = null
    await ending
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
    if (this.#ahead || this.#ending) await this.#leave()
    await this.#lease?.leave()
  }
}
