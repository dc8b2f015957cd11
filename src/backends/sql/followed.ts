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
import type { JsonObject, SearchKind } from '../../model/records.js'
import { CacheSettler } from './cache-settle.js'
import { now, type SqlStoreContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import { followedStatements } from './followed-statements.js'
import { Outbox, outboxKey } from './outbox.js'
import { SemanticSettler } from './semantic-settle.js'
import { vectorStatements } from './vector-statements.js'
import { seed } from './vectors.js'

/** Entries that are written by one statement. */
const ENQUEUED = 500

type Key = Pick<ExpectedEntry, 'kind' | 'tenantId' | 'scope' | 'id'>

const keyText = ({ kind, tenantId, scope, id }: Key): string => JSON.stringify([kind, tenantId, scope, id])
const whole = (value: unknown): number => (typeof value === 'number' && Number.isSafeInteger(value) ? value : 1)

function toRecord(row: { name: string; kind: string; state: string; settings: JsonObject }): FollowerRecord {
  const { place, generation, epoch } = row.settings
  const { name, kind, state } = row
  return {
    name,
    kind,
    state,
    place: typeof place === 'string' ? place : '',
    generation: whole(generation),
    epoch: whole(epoch),
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
    const find = async () => (await this.followers()).find(({ name }) => name === plan.name)
    const before = await find()
    if (before?.place === plan.place && before.state === 'active') return before
    await this.runner.write((session) => this.#begin(session, plan))
    // A cache has nothing to be told of: what it had before is under another epoch.
    if (plan.kind === 'semantic') await seed(this.store, this.runner, plan.name, plan.kinds as readonly SearchKind[])
    else await this.store.engine.olderEnded?.(this.runner)
    await this.runner.write((session) => this.#activate(session, plan))
    return (await find()) as FollowerRecord
  }

  /** Another place is told everything; what the one before had still to be told is of no use to it. */
  async #begin(session: SqlSession, plan: FollowerPlan): Promise<void> {
    const before = (await this.#followers(session)).find(({ name }) => name === plan.name)
    const same = before?.place === plan.place
    // Another process may be at it, or have been.
    if (before && same) return
    await session.run(vectorStatements(this.store.engine).forgetOutbox, { follower: plan.name })
    await this.#put(session, plan, 'seeding', { generation: 1, epoch: (before?.epoch ?? 0) + 1 })
  }

  async #activate(session: SqlSession, plan: FollowerPlan): Promise<void> {
    const now = (await this.#followers(session)).find(({ name }) => name === plan.name)
    if (now?.place === plan.place && now.state === 'seeding') await this.#put(session, plan, 'active', now)
  }

  async #put(
    session: SqlSession,
    { name, kind, kinds, place }: FollowerPlan,
    state: string,
    { generation, epoch }: Pick<FollowerRecord, 'generation' | 'epoch'>,
  ): Promise<void> {
    const settings = { place, generation, epoch }
    await session.run(this.#s.put, { name, kind, kinds, state, settings, now: now(this.store) })
  }

  unfollow(name: string): Promise<boolean> {
    return this.runner.write(async (session) => {
      await session.run(vectorStatements(this.store.engine).forgetOutbox, { follower: name })
      return (await session.run(this.#s.drop, { name })) > 0
    })
  }

  semantic({ name }: FollowerRecord, target: SemanticTarget): FollowerSettling {
    return new SemanticSettler(this.store, this.runner, target, { follower: name, owner: this.store.newId() })
  }

  cache({ name }: FollowerRecord, target: CacheTarget): FollowerSettling {
    return new CacheSettler(this.store, this.runner, target, { follower: name, owner: this.store.newId() })
  }

  requeue(name: string): Promise<number> {
    return new Outbox(this.store, this.runner, { follower: name, owner: '', batch: 1, lease: 1 }).requeue()
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
