import { createHash } from 'node:crypto'
import type { VectorSettings } from '../../contract/embedder.js'
import type {
  CacheTarget,
  ExpectedEntry,
  Followed,
  FollowerPlan,
  FollowerRecord,
  FollowerSettling,
  OutboxDepth,
  SemanticTarget,
} from '../../contract/follow.js'
import { type JsonObject, SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { CacheSettler } from './cache-settle.js'
import { now, type SqlStoreContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import { followedStatements } from './followed-statements.js'
import { Outbox, outboxKey } from './outbox.js'
import { seed } from './seeding.js'
import { SemanticSettler } from './semantic-settle.js'
import { vectorStatements } from './vector-statements.js'
import { SqlVectors } from './vectors.js'

/** Entries that are written by one statement. */
const ENQUEUED = 500

/** The one of a kind that is not being built. */
const inUse = (
  followers: readonly FollowerRecord[],
  { kind }: Pick<FollowerPlan, 'kind'>,
): FollowerRecord | undefined => followers.find((each) => each.kind === kind && !each.building)

/** Not a count: a follower that was forgotten, or another life of the primary, must not have had the same one. */
const epochOf = (id: string): number => createHash('sha256').update(id).digest().readUIntBE(0, 6)

const placeIn = ({ place }: FollowerRecord, space: string): string => `${place} ${space}`

type Key = Pick<ExpectedEntry, 'kind' | 'tenantId' | 'scope' | 'id'>

const keyText = ({ kind, tenantId, scope, id }: Key): string => JSON.stringify([kind, tenantId, scope, id])
const whole = (value: unknown): number => (typeof value === 'number' && Number.isSafeInteger(value) ? value : 1)

function toRecord(row: { name: string; kind: string; state: string; settings: JsonObject }): FollowerRecord {
  const { place, generation, epoch, building } = row.settings
  const { name, kind, state } = row
  return {
    name,
    kind,
    state,
    place: typeof place === 'string' ? place : '',
    generation: whole(generation),
    epoch: whole(epoch),
    building: building === true,
  }
}

/** Those who follow an SQL store, and what they are told. */
export class SqlFollowed implements Followed {
  constructor(
    readonly store: SqlStoreContext,
    /** Sees all tenants. */
    readonly runner: SqlRunner,
  ) {}

  get #s() {
    return followedStatements(this.store.engine)
  }
  get #look(): SqlRunner['read'] {
    return this.runner.current ?? this.runner.read
  }
  get space() {
    return this.store.vectors.space
  }

  followers(): Promise<readonly FollowerRecord[]> {
    return this.#look((session) => this.#followers(session))
  }

  async #followers(session: SqlSession): Promise<FollowerRecord[]> {
    return (await session.all(this.#s.list)).map(toRecord)
  }

  async follow(plan: FollowerPlan): Promise<FollowerRecord> {
    const find = async () => inUse(await this.followers(), plan)
    const before = await find()
    if (before?.place === plan.place && before.state === 'active') return before
    const name = before?.name ?? plan.name
    await this.runner.write((session) => this.#begin(session, plan, name))
    // A cache has nothing to be told of: what it had before is under another epoch.
    if (plan.kind === 'semantic') await seed(this.store, this.runner, name, plan.kinds as readonly SearchKind[])
    else await this.store.engine.olderEnded?.(this.runner)
    await this.runner.write((session) => this.#activate(session, plan))
    return (await find()) as FollowerRecord
  }

  /** Another place is told everything; what the one before had still to be told is of no use to it. */
  async #begin(session: SqlSession, plan: FollowerPlan, name: string): Promise<void> {
    await session.run(this.#s.forgetUnknown)
    const before = inUse(await this.#followers(session), plan)
    // Another process may be at it, or have been.
    if (before?.place === plan.place) return
    await session.run(vectorStatements(this.store.engine).forgetOutbox, { follower: name })
    const epoch = epochOf(this.store.newId())
    if (plan.kind === 'semantic') await this.store.engine.raiseRevision(session, this.#sinceEpoch())
    await this.#put(session, { ...plan, name }, 'seeding', { generation: 1, epoch, building: false })
  }

  /** Above what another life of the primary has told the same store: nobody writes a million times a second for long. */
  #sinceEpoch(): number {
    return Math.min(Number.MAX_SAFE_INTEGER / 2, now(this.store).getTime() * 1000)
  }

  async #activate(session: SqlSession, plan: FollowerPlan): Promise<void> {
    const now = inUse(await this.#followers(session), plan)
    if (now?.place === plan.place && now.state === 'seeding')
      await this.#put(session, { ...plan, name: now.name }, 'active', now)
  }

  async #put(
    session: SqlSession,
    { name, kind, kinds, place }: FollowerPlan,
    state: string,
    { generation, epoch, building }: Pick<FollowerRecord, 'generation' | 'epoch' | 'building'>,
  ): Promise<void> {
    const settings = { place, generation, epoch, building }
    await session.run(this.#s.put, { name, kind, kinds, state, settings, now: now(this.store) })
  }

  async build(current: FollowerRecord): Promise<FollowerRecord> {
    const space = this.space?.id ?? ''
    const find = async () =>
      (await this.followers()).find(({ building, place }) => building && place === placeIn(current, space))
    const before = await find()
    const generation = before?.generation ?? (await this.#nextGeneration())
    const name = `semantic-${generation}`
    const plan = { name, kind: 'semantic', kinds: SEARCH_KINDS, place: placeIn(current, space) } as const
    await this.runner.write((session) =>
      this.#put(session, plan, 'seeding', { generation, epoch: current.epoch, building: true }),
    )
    await seed(this.store, this.runner, name)
    return (await find()) as FollowerRecord
  }

  async #nextGeneration(): Promise<number> {
    return Math.max(...(await this.followers()).map(({ generation }) => generation)) + 1
  }

  promote(built: FollowerRecord, current: FollowerRecord): Promise<void> {
    return this.runner.write(async (session) => {
      const at = now(this.store)
      const s = vectorStatements(this.store.engine)
      if (this.space) {
        await session.run(s.retire, { now: at })
        await session.run(s.activate, { id: this.space.id, now: at })
      }
      const plan = { name: built.name, kind: 'semantic', kinds: SEARCH_KINDS, place: current.place } as const
      await this.#put(session, plan, 'active', { ...built, building: false })
      await session.run(this.#s.drop, { name: current.name })
      await session.run(s.forgetOutbox, { follower: current.name })
    })
  }

  async beside(settings: VectorSettings): Promise<Followed> {
    const vectors = new SqlVectors(settings, null, true)
    const store = { ...this.store, vectors }
    await vectors.openBeside(store, this.runner)
    return new SqlFollowed(store, this.runner)
  }

  async estimate() {
    const space = this.space?.id ?? ''
    const sum = { records: 0, toEmbed: 0, characters: 0 }
    for (const kind of SEARCH_KINDS)
      for (const row of await this.#look(async (session) => session.all(this.#s[kind].estimate, { space }))) {
        sum.records += row.records
        sum.toEmbed += row.toEmbed
        sum.characters += row.characters
      }
    return sum
  }

  async dropOtherVectors(): Promise<void> {
    const { space } = this
    if (!space) return
    for (let n = 1; n > 0; )
      n = await this.runner.write(async (session) => session.run(this.#s.dropVectors, { space: space.id, limit: 2000 }))
  }

  unfollow(name: string): Promise<boolean> {
    return this.runner.write(async (session) => {
      await session.run(vectorStatements(this.store.engine).forgetOutbox, { follower: name })
      return (await session.run(this.#s.drop, { name })) > 0
    })
  }

  semantic({ name }: FollowerRecord, target: SemanticTarget): FollowerSettling {
    return new SemanticSettler(this.store, this.runner, target, { follower: name, owner: this.#owner() })
  }

  cache({ name }: FollowerRecord, target: CacheTarget): FollowerSettling {
    return new CacheSettler(this.store, this.runner, target, { follower: name, owner: this.#owner() })
  }

  #owner(): string {
    return this.store.newOwner?.() ?? this.store.newId()
  }

  requeue(name: string): Promise<number> {
    return new Outbox(this.store, this.runner, { follower: name, owner: '', lease: 1 }).requeue()
  }

  depths(): Promise<readonly OutboxDepth[]> {
    return this.#look(async (session) => {
      const rows = await session.all(this.#s.depths)
      const known = (await this.#followers(session)).map(({ name }) => name)
      const none = known.filter((name) => !rows.some(({ follower }) => follower === name))
      const depths: OutboxDepth[] = none.map((follower) => ({ follower, depth: 0, oldestAge: 0, parked: 0 }))
      for (const { follower, depth, parked } of rows) {
        const [oldest] = depth > 0 ? await session.all(this.#s.oldest, { follower }) : []
        const oldestAge = oldest ? Math.max(0, this.store.clock() - oldest.at.getTime()) : 0
        depths.push({ follower, depth, oldestAge, parked })
      }
      return depths
    })
  }

  async pendingSince(follower: string): ReturnType<Followed['pendingSince']> {
    const [row] = await this.#look(async (session) => session.all(this.#s.pendingSince, { follower }))
    return row ?? { oldest: null, now: 0 }
  }

  async waiting(tenantId: string, follower: string): Promise<number> {
    const rows = await this.#look(async (session) => session.all(this.#s.waiting, { tenantId, follower }))
    return rows[0]?.n ?? 0
  }

  async expected({ kind, after, limit, tenantId }: Parameters<Followed['expected']>[0]): Promise<ExpectedEntry[]> {
    const { space } = this
    const statement = this.#s[kind].expected[tenantId === undefined ? 0 : 1]
    if (!space || !statement) return []
    const rows = await this.#look(async (session) =>
      session.all(statement, { after, limit, tenantId, space: space.id }),
    )
    return rows.map((row) => ({ kind, ...row }))
  }

  async lookUp(follower: string, keys: readonly Key[]): ReturnType<Followed['lookUp']> {
    const { engine } = this.store
    const found = new Map<string, { revision: number | null; seq: number | null; waits: boolean }>()
    for (const kind of new Set(keys.map((key) => key.kind))) {
      const ofKind = keys.filter((key) => key.kind === kind).map(({ tenantId, scope, id }) => [tenantId, scope, id])
      const values = { follower, space: this.space?.id ?? '', keys: engine.conditions.encodeRows(ofKind) }
      for (const row of await this.#look(async (session) => session.all(this.#s[kind].lookUp, values))) {
        const { seq, revision, vector, waits } = row
        const there = vector > 0
        const state = { revision: there ? revision : null, seq: there ? seq : null, waits: waits > 0 }
        found.set(keyText({ kind, ...row }), state)
      }
    }
    return keys.map((key) => found.get(keyText(key)) ?? { revision: null, seq: null, waits: false })
  }

  async enqueue(follower: string, keys: readonly Key[]): Promise<void> {
    const { engine } = this.store
    for (let i = 0; i < keys.length; i += ENQUEUED) {
      const some = keys.slice(i, i + ENQUEUED).map((key) => outboxKey({ ...key, recordId: key.id }))
      const values = { follower, keys: engine.conditions.encodeRows(some), now: now(this.store), due: new Date(0) }
      await this.runner.write(async (session) => session.run(this.#s.enqueue, values))
    }
  }

  raiseRevision(above: number): Promise<void> {
    return this.runner.write(async (session) => this.store.engine.raiseRevision(session, above))
  }
}
