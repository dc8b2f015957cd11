import type { OutboxEntry } from '../../contract/follow.js'
import type { SettleReport } from '../../contract/statistics.js'
import { BrunoMemoryError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import { Outbox } from './outbox.js'
import { embeddedText, hashOf, type Made, type ToMake, type Tried, VectorMaker } from './vector-making.js'
import { FOLLOWER, vectorStatements } from './vector-statements.js'
import { writeVectors } from './vector-writing.js'
import type { OpenSpace, VectorRow } from './vectors.js'

/** Records taken in one go: their texts are in memory together. */
const BATCH = 128
/** Milliseconds for which what was taken is left to its taker. */
const LEASE = 120_000

interface Work extends ToMake {
  readonly entry: OutboxEntry
}

/** The vectors of what was written: made outside any transaction, stored only where the text is still the same. */
export class VectorSettler {
  readonly #outbox: Outbox

  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    owner: string,
  ) {
    this.#outbox = new Outbox(store, runner, { follower: FOLLOWER, owner, lease: LEASE })
  }

  /** One batch; answers how many records it dealt with. */
  async pass(): Promise<number> {
    const { embedder } = this.store.vectors
    if (!embedder) return 0
    const maker = new VectorMaker(this.store, this.runner, embedder)
    const entries = await this.#outbox.claim(BATCH)
    if (entries.length === 0) return 0
    try {
      const space = await maker.space()
      const { work, idle } = await this.#read(space, entries)
      const { known, rest } = await maker.known(space, work)
      // What needs no model does not wait for one, nor for one that fails.
      if (known.length + idle.length > 0) await this.runner.write((session) => this.#store(session, space, known, idle))
      const made = await maker.make(rest)
      if (made.length > 0) await this.runner.write((session) => this.#store(session, space, made, []))
      return entries.length
    } catch (error) {
      await this.#outbox.release()
      throw error
    }
  }

  report(): Promise<SettleReport> {
    return this.#outbox.report()
  }

  requeue(): Promise<number> {
    return this.#outbox.requeue()
  }

  /** The texts that need a vector; the others are done with: gone, blank, still a draft, or as they were embedded. */
  async #read(space: OpenSpace, entries: readonly OutboxEntry[]): Promise<{ work: Work[]; idle: OutboxEntry[] }> {
    const work: Work[] = []
    const idle = new Set(entries)
    const key = (tenantId: string, scope: string, id: string) => JSON.stringify([tenantId, scope, id])
    for (const kind of new Set(entries.map((entry) => entry.kind as SearchKind))) {
      const ofKind = new Map(
        entries.filter((e) => e.kind === kind).map((e) => [key(e.tenantId, e.scope, e.recordId), e]),
      )
      const rows = await this.#texts(kind, space.id, [...ofKind.values()])
      for (const row of rows) {
        const entry = ofKind.get(key(row.tenantId, row.scope, row.recordId))
        const text = embeddedText(row)
        const hash = hashOf(text)
        if (!entry || row.content.trim() === '' || row.draft || row.hash?.length === 0 || row.hash?.equals(hash))
          continue
        work.push({ entry, tenantId: entry.tenantId, text, hash })
        idle.delete(entry)
      }
    }
    return { work, idle: [...idle] }
  }

  #texts(kind: SearchKind, space: string, entries: readonly OutboxEntry[]) {
    const { engine } = this.store
    const keys = engine.conditions.encodeRows(entries.map((e) => [e.tenantId, e.scope, e.recordId]))
    return this.runner.read(async (session) => session.all(vectorStatements(engine)[kind].texts, { keys, space }))
  }

  async #store(
    session: SqlSession,
    space: OpenSpace,
    made: readonly Tried<Work>[],
    idle: readonly OutboxEntry[],
  ): Promise<void> {
    for (const { entry, vector } of made)
      if (vector instanceof BrunoMemoryError) await this.#outbox.failed(session, entry, vector.code)
    const whole = made.filter((each): each is Made<Work> => !(each.vector instanceof BrunoMemoryError))
    const entries = whole.map(({ entry }) => entry)
    // Of what was written meanwhile the vector would be of a text that is gone, and the entry is due again.
    const current = new Set(await this.#outbox.done(session, [...entries, ...idle]))
    const rows = whole.flatMap(({ entry, hash, vector }): VectorRow[] => {
      const { tenantId, scope, recordId } = entry
      return current.has(entry) ? [{ kind: entry.kind as SearchKind, tenantId, scope, recordId, vector, hash }] : []
    })
    await writeVectors(this.store, session, space.id, rows)
  }
}
