import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm/sql/sql'
import type { Embedder } from '../../contract/embedder.js'
import type { SettleReport } from '../../contract/statistics.js'
import { BrunoMemoryError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import { now, type SqlStoreContext } from './context.js'
import { storedVectors } from './embedding-reuse.js'
import { perEngine, type SqlRunner, type SqlSession } from './engine.js'
import { bind, count, value } from './statement.js'
import { FOLLOWER, vectorStatements } from './vector-statements.js'
import { MAX_EMBEDDED, type OpenSpace, type VectorRow, writeVectors } from './vectors.js'

/** Records taken in one go: their texts are in memory together. */
const BATCH = 128
/** Milliseconds for which what was taken is left to its taker. */
const LEASE = 120_000
const MAX_ATTEMPTS = 5
const FIRST_DELAY = 1000

interface Entry {
  readonly tenantId: string
  readonly kind: string
  readonly scope: string
  readonly recordId: string
  readonly revision: number
  readonly attempts: number
}

const statements = perEngine((engine) => {
  const { outbox: o } = engine.tables
  const entry = {
    tenantId: o.tenantId,
    kind: o.kind,
    scope: o.scope,
    recordId: o.recordId,
    revision: o.revision,
    attempts: o.attempts,
  }
  const mine = sql`${o.follower} = ${sql.raw(`'${FOLLOWER}'`)}`
  const due = sql`${mine} and ${o.nextAttemptAt} <= ${bind(o.nextAttemptAt, 'now')} and ${o.parkedAt} is null
    and (${o.leaseUntil} is null or ${o.leaseUntil} <= ${bind(o.leaseUntil, 'now')} or ${o.leaseOwner} = ${value('owner')})`
  const one = sql`${mine} and ${o.tenantId} = ${value('tenantId')} and ${o.kind} = ${value('kind')} and ${o.scope} = ${value('scope')} and ${o.recordId} = ${value('recordId')}`
  const counted = { n: count(sql``) }
  return {
    claim: engine.statement(
      entry,
      // Chosen once, before any is taken.
      () => sql`with due as materialized (
          select follower, tenant_id, kind, scope, record_id from ${o} where ${due} order by ${o.nextAttemptAt} limit ${value('limit')} ${engine.forClaim}
        ) update ${o} set lease_owner = ${value('owner')}, lease_until = ${bind(o.leaseUntil, 'until')}
        where (follower, tenant_id, kind, scope, record_id) in (select follower, tenant_id, kind, scope, record_id from due)
        returning ${sql.raw('tenant_id, kind, scope, record_id, revision, attempts')}`,
    ),
    waiting: engine.statement(counted, () => sql`select 1 from ${o} where ${due} limit 1`),
    /** Only as it was taken: what was written meanwhile is due again. */
    done: engine.command(() => sql`delete from ${o} where ${one} and ${o.revision} = ${value('seen')}`),
    failed: engine.command(
      () => sql`update ${o} set attempts = ${value('attempts')}, next_attempt_at = ${bind(o.nextAttemptAt, 'next')},
        parked_at = ${bind(o.parkedAt, 'parked')}, error_code = ${value('code')}, lease_owner = null, lease_until = null
        where ${one} and ${o.revision} = ${value('seen')}`,
    ),
    release: engine.command(
      () =>
        sql`update ${o} set lease_owner = null, lease_until = null where ${mine} and ${o.leaseOwner} = ${value('owner')}`,
    ),
    pending: engine.statement(counted, () => sql`select count(*) from ${o} where ${mine} and ${o.parkedAt} is null`),
    parked: engine.statement(counted, () => sql`select count(*) from ${o} where ${mine} and ${o.parkedAt} is not null`),
    requeue: engine.command(
      () =>
        sql`update ${o} set parked_at = null, attempts = 0, error_code = null, next_attempt_at = ${bind(o.nextAttemptAt, 'now')} where ${mine} and ${o.parkedAt} is not null`,
    ),
  }
})

/** What a message's vector is made of: who speaks matters to who is asked about. */
export const embeddedText = ({ name, content }: { readonly name: string | null; readonly content: string }): string =>
  (name ? `${name}: ${content}` : content).slice(0, MAX_EMBEDDED)

export const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

interface Work {
  readonly entry: Entry
  readonly text: string
  readonly hash: Buffer
}

type Made = Work & { readonly vector: Float32Array | BrunoMemoryError }

/** Work by its text: a batch sends each once. */
function byText(work: readonly Work[]): Map<string, Work[]> {
  const groups = new Map<string, Work[]>()
  for (const each of work) {
    const group = groups.get(each.text)
    if (group) group.push(each)
    else groups.set(each.text, [each])
  }
  return groups
}

/** The vectors of what was written: made outside any transaction, stored only where the text is still the same. */
export class VectorSettler {
  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly owner: string,
  ) {}

  /** One batch; answers how many records it dealt with. */
  async pass(): Promise<number> {
    const { embedder } = this.store.vectors
    if (!embedder) return 0
    const at = now(this.store)
    const { waiting } = statements(this.store.engine)
    // Most looks find nothing: they take no lock.
    const some = await this.runner.read(async (session) => session.all(waiting, { now: at, owner: this.owner }))
    if (some.length === 0) return 0
    const entries = await this.#claim()
    if (entries.length === 0) return 0
    try {
      const space = this.store.vectors.space ?? (await this.#space(embedder))
      const { work, idle } = await this.#read(space, entries)
      const { known, rest } = await this.#known(space, work)
      // What needs no model does not wait for one, nor for one that fails.
      if (known.length + idle.length > 0) await this.runner.write((session) => this.#store(session, space, known, idle))
      const groups = byText(rest)
      const made = (await this.#embed(embedder, [...groups.keys()])).flatMap(([text, vector]) =>
        (groups.get(text) ?? []).map((each) => ({ ...each, vector })),
      )
      if (made.length > 0) await this.runner.write((session) => this.#store(session, space, made, []))
      return entries.length
    } catch (error) {
      await this.runner.write(async (session) =>
        session.run(statements(this.store.engine).release, { owner: this.owner }),
      )
      throw error
    }
  }

  async report(): Promise<SettleReport> {
    const s = statements(this.store.engine)
    return this.runner.read(async (session) => ({
      pending: (await session.all(s.pending))[0]?.n ?? 0,
      parked: (await session.all(s.parked))[0]?.n ?? 0,
    }))
  }

  async requeue(): Promise<number> {
    const s = statements(this.store.engine)
    return this.runner.write(async (session) => session.run(s.requeue, { now: now(this.store) }))
  }

  async #claim(): Promise<Entry[]> {
    const at = now(this.store)
    const values = { owner: this.owner, now: at, until: new Date(at.getTime() + LEASE), limit: BATCH }
    return this.runner.write(async (session) => session.all(statements(this.store.engine).claim, values))
  }

  async #space(embedder: Embedder): Promise<OpenSpace> {
    const [vector] = await embedder.embedDocuments(['dimensions'])
    return this.store.vectors.ready(this.store, this.runner, vector?.length ?? 0)
  }

  /** The texts that need a vector; the others are done with: gone, blank, still a draft, or as they were embedded. */
  async #read(space: OpenSpace, entries: readonly Entry[]): Promise<{ work: Work[]; idle: Entry[] }> {
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
        work.push({ entry, text, hash })
        idle.delete(entry)
      }
    }
    return { work, idle: [...idle] }
  }

  #texts(kind: SearchKind, space: string, entries: readonly Entry[]) {
    const { engine } = this.store
    const keys = engine.conditions.encodeRows(entries.map((e) => [e.tenantId, e.scope, e.recordId]))
    return this.runner.read(async (session) => session.all(vectorStatements(engine)[kind].texts, { keys, space }))
  }

  /** What was embedded before in this store has its vector already. */
  async #known(space: OpenSpace, work: readonly Work[]): Promise<{ known: Made[]; rest: Work[] }> {
    const wanted = work.map(({ entry, hash }) => ({ tenantId: entry.tenantId, hash }))
    const vectors = await storedVectors(this.store, this.runner, space, wanted)
    const known = work.flatMap((each, i) => (vectors[i] ? [{ ...each, vector: vectors[i] }] : []))
    return { known, rest: work.filter((_, i) => !vectors[i]) }
  }

  /** The batch at once; where it is refused, one by one, so that a text that the model cannot take stops no other. */
  async #embed(embedder: Embedder, texts: readonly string[]): Promise<[string, Made['vector']][]> {
    if (texts.length === 0) return []
    try {
      const vectors = await embedder.embedDocuments(texts)
      return texts.map((text, i) => [text, vectors[i] as Float32Array])
    } catch (error) {
      if (!(error instanceof BrunoMemoryError) || error.retryable) throw error
      if (texts.length === 1) return texts.map((text) => [text, error])
    }
    const made: [string, Made['vector']][] = []
    for (const text of texts) made.push(...(await this.#embed(embedder, [text])))
    return made
  }

  async #store(session: SqlSession, space: OpenSpace, made: readonly Made[], idle: readonly Entry[]): Promise<void> {
    const s = statements(this.store.engine)
    const rows: VectorRow[] = []
    for (const { entry, hash, vector } of made) {
      if (vector instanceof BrunoMemoryError) {
        await session.run(s.failed, { ...entry, seen: entry.revision, ...this.#next(entry, vector) })
        continue
      }
      const { tenantId, scope, recordId } = entry
      // Written meanwhile: the vector would be of a text that is gone, and the entry is due again.
      if ((await session.run(s.done, { ...entry, seen: entry.revision })) === 0) continue
      rows.push({ kind: entry.kind as SearchKind, tenantId, scope, recordId, vector, hash })
    }
    await writeVectors(this.store, session, space.id, rows)
    for (const entry of idle) await session.run(s.done, { ...entry, seen: entry.revision })
  }

  #next({ attempts }: Entry, error: BrunoMemoryError) {
    const tried = attempts + 1
    const at = this.store.clock()
    return {
      attempts: tried,
      next: new Date(at + FIRST_DELAY * 4 ** attempts),
      parked: tried >= MAX_ATTEMPTS ? new Date(at) : null,
      code: error.code,
    }
  }
}
